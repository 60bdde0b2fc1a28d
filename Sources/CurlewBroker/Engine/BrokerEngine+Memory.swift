import CurlewCore
import Logging
import Synchronization

// What becomes of clients when all together hold almost as much as they may (``MemoryShares``).
extension BrokerEngine {
    /// Once a second: sees to it that some memory is free.
    func tickMemory(on worker: Worker) {
        self.budget.allowReclaims()
        self.reclaimMemory(on: worker)
    }

    /// Makes those who hold most give something back, if little is left; on the worker's loop.
    func reclaimMemory(on worker: Worker) {
        guard self.budget.isFull, self.budget.mayReclaim() else { return }
        let retained = self.retained.withLock { $0.now }
        // By powers of two: which of two of about the same size goes first does not matter.
        var sizes = [[HostedSession]](repeating: [], count: Int.bitWidth)
        for session in self.sessions.all {
            sizes[Int.bitWidth - 1 - max(1, session.holding(retained)).leadingZeroBitCount].append(session)
        }
        var count = 0
        for session in sizes.reversed().joined() {
            guard self.budget.excess > 0 else { break }
            // Those who hold little are spared while there is any room at all: it may be retained messages that take the memory.
            let holding = session.holding(retained)
            // It has ended meanwhile.
            guard holding > 0 else { continue }
            guard holding > self.budget.shares.floor || self.budget.isExceeded else { break }
            if self.giveUp(session, retained, on: worker) { count += 1 }
        }
        guard count > 0 else { return }
        self.logger.warning(
            "the memory that clients may take is full: those who held most have lost messages, connections or sessions",
            metadata: ["clients": "\(count)"])
    }

    /// Halves what a client holds: by the oldest messages that wait for it or, if these are not what makes it large, by its connection or its
    /// session.
    ///
    /// - Parameter retained: The retained messages now.
    /// - Returns: Whether anything is given up that was not before.
    private func giveUp(_ session: HostedSession, _ retained: RetainedMessages.Mark, on worker: Worker) -> Bool {
        let before = session.holding(retained)
        let (topics, connection) = session.state.withLock { state -> ([TopicName], ConnectionHandle?) in
            guard !state.isOver else { return ([], nil) }
            let topics = state.session.dropOldest(before / 2)
            self.account(&state, of: session, isExact: true)
            return (topics, state.connection)
        }
        for topic in topics { self.dropped(topic, .queueFull, for: session.clientIdentifier, on: worker) }
        let left = session.holding(retained)
        guard left > before / 2 else { return true }
        guard let connection else {
            self.end(session, if: .away, on: worker)
            return true
        }
        // The session goes with its connection, or is the next to give something back.
        guard connection.isToldToClose.exchange(true, ordering: .relaxed) == false else { return false }
        let expectation = self.budget.expects(left)
        connection.execute { $0.closeForMemory(expectation) }
        return true
    }
}

extension HostedSession {
    /// What the session and its connection hold, with all messages that wait, and those that were retained and that nobody else holds any more.
    ///
    /// - Parameter retained: The retained messages now.
    func holding(_ retained: RetainedMessages.Mark) -> Int {
        let replaced = self.retainedBegan.withLock { $0?.bytesRemoved(until: retained) } ?? 0
        return self.weight.value + self.connectionBytes.value + replaced
    }
}
