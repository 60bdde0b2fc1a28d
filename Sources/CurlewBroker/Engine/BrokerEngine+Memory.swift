import CurlewCore
import Logging
import Synchronization

// What happens when the clients together hold almost as much memory as they may (``MemoryShares``).
extension BrokerEngine {
    /// Once a second: ensures that some memory is free.
    func tickMemory(on worker: Worker) {
        self.budget.allowReclaims()
        self.reclaimMemory(on: worker)
    }

    /// If little memory is left, makes the clients that hold most give something back; on the worker's loop.
    func reclaimMemory(on worker: Worker) {
        guard self.budget.isFull, self.budget.mayReclaim() else { return }
        let retained = self.retained.withLock { $0.now }
        // Sorted by powers of two: between two clients of about the same size, the order does not matter.
        var sizes = [[HostedSession]](repeating: [], count: Int.bitWidth)
        var sum = 0.0
        for session in self.sessions.all {
            let holding = session.holding(retained)
            sizes[Int.bitWidth - 1 - max(1, holding).leadingZeroBitCount].append(session)
            sum += Double(holding)
        }
        // A message that several clients hold is freed only when the last of them gives it up.
        let share = min(1, Double(self.budget.held) / max(1, sum))
        var count = 0
        for session in sizes.reversed().joined() {
            guard self.budget.excess > 0 else { break }
            let holding = session.holding(retained)
            // It has ended in the meantime.
            guard holding > 0 else { continue }
            // Clients that hold little are spared.
            guard holding > self.budget.shares.floor else { break }
            if self.giveUp(session, retained, share, on: worker) { count += 1 }
        }
        if count == 0, self.budget.isExceeded, !self.budget.isExpectingSome { count = self.endYoungest(on: worker) }
        guard count > 0 else { return }
        self.logger.warning(
            "memory limit reached: the largest clients lost messages, connections or sessions",
            metadata: ["clients": "\(count)"])
    }

    /// Very many clients that hold little each fill the memory. Ends the youngest sessions of disconnected clients,
    /// because a swarm of them is new.
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

    /// A limit, because the loop has other work to do as well.
    private static let mostEndedAtOnce = 1000

    /// Halves what a client holds: drops its oldest queued messages or, if they are not what makes it large, closes its
    /// connection or ends its session.
    ///
    /// - Parameters:
    ///   - retained: The retained messages now.
    ///   - share: The part of what it holds that no other client holds, on average.
    /// - Returns: Whether anything new was given up.
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
        // The session ends with its connection, or is the next one to give something back.
        guard connection.isToldToClose.exchange(true, ordering: .relaxed) == false else { return false }
        let expectation = self.budget.expects(Int(Double(left) * share))
        connection.execute { $0.closeForMemory(expectation) }
        return true
    }
}

extension HostedSession {
    /// What the session and its connection hold, including queued messages and replaced retained messages that only
    /// they keep alive.
    ///
    /// - Parameter retained: The retained messages now.
    func holding(_ retained: RetainedMessages.Mark) -> Int {
        let replaced = self.retainedBegan.withLock { $0?.bytesRemoved(until: retained) } ?? 0
        return self.weight.value + self.connectionBytes.value + replaced
    }
}
