import CurlewCore
import Logging
import NIOCore
import Synchronization

// Holds messages that no subscription has taken until one claims them, within limits.
extension ClientEngine {
    /// A subscription ended before its consumer saw these messages.
    func handBack(_ messages: [MQTTMessage]) {
        guard messages.contains(where: { $0.token != nil }) else { return }
        let now = self.clock.now()
        let (flush, mustWatch) = self.state.withLock { state in
            for message in messages {
                guard let token = message.token else { continue }
                if state.session.isOwed(token) || state.session.isOrphan(token) { state.hold(message, token, now) }
            }
            return (state.output.claimFlush(), state.receivers.mustWatchUnclaimed)
        }
        self.flush(flush)
        if mustWatch { self.watchUnclaimed() }
    }

    /// Releases messages that have waited too long, reports them, and schedules the next call.
    func watchUnclaimed() {
        let now = self.clock.now()
        let (report, flush) = self.state.withLock { state in
            state.letGo(state.receivers.unclaimed.timePassed(now))
            let report = state.receivers.unclaimed.takeReport(at: now)
            if state.receivers.mustWatchUnclaimed, let deadline = state.receivers.unclaimed.deadline {
                if let earlier = state.receivers.unclaimedDeadline { self.deadlines.cancel(earlier.id) }
                let id = self.deadlines.schedule(after: deadline - now) { [weak self] in
                    self?.state.withLock { $0.receivers.unclaimedDeadline = nil }
                    self?.watchUnclaimed()
                }
                state.receivers.unclaimedDeadline = (id, deadline)
            }
            return (report, state.output.claimFlush())
        }
        self.flush(flush)
        if let report { self.tell(report) }
    }

    /// Reports messages that were acknowledged although no subscription took them.
    func tell(_ report: UnclaimedMessages<MQTTMessage>.Report) {
        // Without a time limit, that is the program's wish.
        let level: Logger.Level = self.configuration.queues.unclaimed.timeLimit == .zero ? .debug : .warning
        self.logger.log(
            level: level,
            "acknowledged messages that no subscription took: subscribe earlier, or change queues.unclaimed",
            metadata: ["topics": "\(report.topics)", "count": "\(report.count)"])
        self.events.post(.messagesUnclaimed(topics: report.topics, count: report.count))
    }
}

extension ClientEngine.State {
    /// Gives a new subscription the messages that it claims, before any other message.
    mutating func give(
        _ claim: Claim, matching filters: [TopicFilter], to receiver: any MessageReceiver
    ) {
        switch claim {
        case .nothing: break
        case .matching: receiver.adopt(self.receivers.unclaimed.claimed(by: filters))
        case .everything:
            self.session.takeRemainder(receiver.id)
            receiver.adopt(self.receivers.unclaimed.allClaimed())
        }
    }

    /// Holds a received message that no subscription takes. Only counts it at QoS 0.
    mutating func hold(_ packet: consuming Publish, _ token: DeliveryToken?, _ now: Timestamp) {
        guard let token, let message = MQTTMessage(consume packet, token: token, now: now) else {
            self.tally.statistics.messagesUnrouted += 1
            return
        }
        self.hold(message, token, now)
    }

    mutating func hold(_ message: MQTTMessage, _ token: DeliveryToken, _ now: Timestamp) {
        self.letGo(
            self.receivers.unclaimed.unclaimed(message, on: message.topic, size: message.weight, token, at: now))
    }

    mutating func letGo(_ tokens: [DeliveryToken]) {
        for token in tokens { self.session.consumed(token, into: &self.output.bytes) }
    }
}
