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
        var sum = 0.0
        for session in self.sessions.all {
            let holding = session.holding(retained)
            sizes[Int.bitWidth - 1 - max(1, holding).leadingZeroBitCount].append(session)
            sum += Double(holding)
        }
        // What several clients hold together is given back when the last of them gives it up.
        let share = min(1, Double(self.budget.held) / max(1, sum))
        var count = 0
        for session in sizes.reversed().joined() {
            guard self.budget.excess > 0 else { break }
            let holding = session.holding(retained)
            // It has ended meanwhile.
            guard holding > 0 else { continue }
            // Those who hold little are spared.
            guard holding > self.budget.shares.floor else { break }
            if self.giveUp(session, retained, share, on: worker) { count += 1 }
        }
        if count == 0, self.budget.isExceeded, !self.budget.isExpectingSome { count = self.endYoungest(on: worker) }
        guard count > 0 else { return }
        self.logger.warning(
            "the memory that clients may take is full: those who held most have lost messages, connections or sessions",
            metadata: ["clients": "\(count)"])
    }

    /// So many hold so little that they fill the memory: of those who are away the ones go that came last, for a swarm of them is new.
    ///
    /// - Returns: How many sessions have ended.
    private func endYoungest(on worker: Worker) -> Int {
        var away: [(number: UInt64, session: HostedSession)] = []
        for session in self.sessions.all {
            let number = session.state.withLock { $0.connection == nil && !$0.isOver ? $0.connectNumber : nil }
            if let number { away.append((number, session)) }
        }
        away.sort { $0.number > $1.number }
        var count = 0
        for (_, session) in away.prefix(Self.mostEndedAtOnce) {
            guard self.budget.excess > 0 else { break }
            self.end(session, if: .away, on: worker)
            count += 1
        }
        return count
    }

    /// The loop has other things to do as well.
    private static let mostEndedAtOnce = 1000

    /// Halves what a client holds: by the oldest messages that wait for it or, if these are not what makes it large, by its connection or its
    /// session.
    ///
    /// - Parameters:
    ///   - retained: The retained messages now.
    ///   - share: How much of what it holds nobody else holds, on average.
    /// - Returns: Whether anything is given up that was not before.
    private func giveUp(
        _ session: HostedSession, _ retained: RetainedMessages.Mark, _ share: Double, on worker: Worker
    ) -> Bool {
        let before = session.holding(retained)
        let (topics, connection) = session.state.withLock { state -> ([TopicName], ConnectionHandle?) in
            guard !state.isOver else { return ([], nil) }
            let topics = state.session.dropOldest(before / 2)
            session.account(&state, isExact: true)
            return (topics, state.connection)
        }
        self.dropped(topics, .queueFull, for: session.clientIdentifier, on: worker)
        let left = session.holding(retained)
        guard left > before / 2 else { return true }
        guard let connection else {
            self.end(session, if: .away, on: worker)
            return true
        }
        // The session goes with its connection, or is the next to give something back.
        guard connection.isToldToClose.exchange(true, ordering: .relaxed) == false else { return false }
        let expectation = self.budget.expects(Int(Double(left) * share))
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
