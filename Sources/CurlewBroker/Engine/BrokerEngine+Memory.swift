import CurlewCore
import Logging
import Synchronization

// What becomes of clients when all together hold more than they may (``MemoryShares``).
extension BrokerEngine {
    /// Makes those who hold most give something back, if all hold more than the limit; on the worker's loop.
    func reclaimMemory(on worker: Worker) {
        guard self.budget.isExceeded else { return }
        // By powers of two: which of two of about the same size goes first does not matter.
        var sizes = [[HostedSession]](repeating: [], count: Int.bitWidth)
        for session in self.sessions.all {
            sizes[Int.bitWidth - 1 - max(1, session.holding).leadingZeroBitCount].append(session)
        }
        // What connections give back is known only when they have closed.
        var expected = 0
        var count = 0
        for session in sizes.reversed().joined() {
            guard self.budget.excess > expected else { break }
            expected += self.giveUp(session, on: worker)
            count += 1
        }
        guard count > 0 else { return }
        self.logger.warning(
            "the memory that clients may take is full: those who held most have lost queues, connections or sessions",
            metadata: ["clients": "\(count)"])
    }

    /// Drops what waits for a client and, if that is not what makes it large, closes its connection or ends its session.
    ///
    /// - Returns: How much is freed only later.
    private func giveUp(_ session: HostedSession, on worker: Worker) -> Int {
        let before = session.holding
        let (topics, connection) = session.state.withLock { state in
            let topics = state.session.dropQueue()
            self.account(&state, of: session, isExact: true)
            return (topics, state.connection)
        }
        for topic in topics { self.dropped(topic, .queueFull, for: session.clientIdentifier, on: worker) }
        guard session.holding > before / 2 else { return 0 }
        guard let connection else {
            self.end(session, onlyIfAway: true, on: worker)
            return 0
        }
        connection.execute {
            $0.close(.quotaExceeded, "The server's memory is full, and this client holds more of it than others.")
        }
        return session.connectionBytes.value
    }
}

extension HostedSession {
    /// What the session and its connection hold, with all messages that wait.
    var holding: Int { self.weight.value + self.connectionBytes.value }
}
