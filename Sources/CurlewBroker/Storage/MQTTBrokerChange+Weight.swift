import CurlewCore

extension Collection<MQTTBrokerChange> {
    /// What they weigh in memory, roughly. A message that goes to several clients, one after the other, weighs once.
    ///
    /// - Parameter last: The number of the message before these; becomes that of the last one of these.
    func weight(after last: inout UInt64?) -> Int {
        self.reduce(0) { sum, change in
            guard let message = change.message else { return sum + 250 + change.otherBytes }
            defer { last = message.number }
            return sum + 250 + (message.number == last ? 0 : message.content.byteCount)
        }
    }
}

extension MQTTBrokerChange {
    fileprivate var message: MQTTBrokerSnapshot.Message? {
        switch self {
        case .deliveryAdded(_, let delivery): delivery.message
        case .retained(let retained): retained.message
        default: nil
        }
    }

    /// What is long in changes that are not about a message.
    fileprivate var otherBytes: Int {
        switch self {
        case .session(let about): about.will?.message.byteCount ?? 0
        case .subscribed(_, let subscription): subscription.filter.string.utf8.count
        case .unsubscribed(_, let filter): filter.string.utf8.count
        default: 0
        }
    }
}

extension MQTTBrokerMessage {
    fileprivate var byteCount: Int {
        self.payload.readableBytes + self.topic.string.utf8.count + self.properties.byteCount
    }
}
