import CurlewCore
import Logging
import NIOCore
import Synchronization

// Messages that no subscription has taken: they wait for one that does, within bounds.
extension MQTTClient {
    /// A subscription has not looked at these messages and will not.
    func handBack(_ messages: [MQTTMessage]) {
        guard messages.contains(where: { $0.token != nil }) else { return }
        let now = self.clock.now()
        let (flush, mustWatch) = self.shared.withLock { shared in
            for message in messages {
                guard let token = message.token else { continue }
                if shared.session.isOwed(token) || shared.session.isOrphan(token) { shared.hold(message, token, now) }
            }
            return (shared.claimFlush(), shared.mustWatchUnclaimed)
        }
        if let flush { self.eventLoop.execute(flush) }
        if mustWatch { self.watchUnclaimed() }
    }

    /// Tells what was let go, and sees to it that this is called again when there is more to do.
    func watchUnclaimed() {
        let now = self.clock.now()
        let (report, flush) = self.shared.withLock { shared in
            shared.letGo(shared.unclaimed.timePassed(now))
            let report = shared.unclaimed.takeReport(at: now)
            if shared.mustWatchUnclaimed, let deadline = shared.unclaimed.deadline {
                if let earlier = shared.unclaimedDeadline { self.deadlines.cancel(earlier.id) }
                let id = self.deadlines.schedule(after: deadline - now) { [weak self] in
                    self?.shared.withLock { $0.unclaimedDeadline = nil }
                    self?.watchUnclaimed()
                }
                shared.unclaimedDeadline = (id, deadline)
            }
            return (report, shared.claimFlush())
        }
        if let flush { self.eventLoop.execute(flush) }
        if let report { self.tell(report) }
    }

    /// Tells that messages were acknowledged that nobody has taken.
    func tell(_ report: UnclaimedMessages<MQTTMessage>.Report) {
        self.logger.warning(
            "messages acknowledged that no subscription has taken: subscribe before, or change queues.unclaimed",
            metadata: ["topics": "\(report.topics)", "count": "\(report.count)"])
        self.eventHub.post(.messagesUnclaimed(topics: report.topics, count: report.count))
    }
}

extension MQTTClient {
    /// What a subscription takes of the messages that wait.
    package enum Claim: Sendable {
        case nothing
        /// What its filters match.
        case matching
        /// All, and whatever comes from now on that no other subscription takes, at any QoS.
        case everything
    }
}

extension MQTTClient.Shared {
    /// A subscription has been made: gives it what it claims, before anything that it receives.
    mutating func give(
        _ claim: MQTTClient.Claim, matching filters: [TopicFilter], to receiver: any MessageReceiver & Identified
    ) {
        switch claim {
        case .nothing: break
        case .matching: receiver.adopt(self.unclaimed.claimed(by: filters))
        case .everything:
            self.session.takeRemainder(receiver.id)
            receiver.adopt(self.unclaimed.allClaimed())
        }
    }

    /// Nobody has taken a message that came in.
    mutating func hold(_ packet: consuming Publish, _ token: DeliveryToken?, _ now: Timestamp) {
        guard let token, let message = MQTTMessage(consume packet, token: token) else {
            self.statistics.unrouted += 1
            return
        }
        self.hold(message, token, now)
    }

    mutating func hold(_ message: MQTTMessage, _ token: DeliveryToken, _ now: Timestamp) {
        self.letGo(
            self.unclaimed.unclaimed(message, on: message.topic, size: message.weight, token, at: now))
    }

    mutating func letGo(_ tokens: [DeliveryToken]) {
        for token in tokens { self.session.passed(token, into: &self.out) }
    }

    /// Whether somebody must see to what waits, or was let go.
    var mustWatchUnclaimed: Bool {
        guard let deadline = self.unclaimed.deadline else { return false }
        return self.unclaimedDeadline.map { deadline < $0.time } ?? true
    }
}

extension MQTTConfiguration.UnclaimedQueue {
    var bounds: UnclaimedMessages<MQTTMessage>.Bounds { .init(count: self.count, bytes: self.bytes, time: self.time) }
}
