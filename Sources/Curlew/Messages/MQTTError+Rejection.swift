import CurlewCore

extension MQTTError {
    /// Creates the error for a request that the session rejected.
    init(_ rejection: Rejection) {
        switch rejection {
        case .qosAboveMaximum(let maximum):
            self.init(
                .notSupportedByServer,
                "The server accepts no messages above QoS \(maximum.rawValue): publish at QoS \(maximum.rawValue).",
                reasonCode: .qosNotSupported)
        case .retainNotAvailable:
            self.init(
                .notSupportedByServer, "The server keeps no retained messages: publish without `retain`.",
                reasonCode: .retainNotSupported)
        case .packetTooLarge(let size, let maximum):
            self.init(
                .packetTooLarge, "The packet has \(size) bytes, and the server accepts at most \(maximum).",
                reasonCode: .packetTooLarge)
        case .wildcardsNotAvailable:
            self.init(
                .notSupportedByServer, "The server supports no wildcards: subscribe to a filter without '+' and '#'.",
                reasonCode: .wildcardSubscriptionsNotSupported)
        case .sharedSubscriptionsNotAvailable:
            self.init(
                .notSupportedByServer, "The server supports no shared subscriptions: subscribe without '$share'.",
                reasonCode: .sharedSubscriptionsNotSupported)
        case .conflictingOptions:
            self.init(
                .invalidArgument,
                "The client has subscribed to this filter with other options: use the same ones, or unsubscribe first.")
        case .queueFull:
            self.init(
                .queueFull, "The outbox is full: wait for deliveries before you enqueue more, or enlarge `queues`.")
        case .expired: self.init(.timedOut, "The message expired before it could be sent.")
        case .encoding(.notSupported(let field, let version)):
            self.init(.notSupportedByProtocolVersion, "\(EncodingError.notSupported(field, version))")
        case .encoding(let error): self.init(.invalidArgument, "\(error)", cause: error)
        case .sessionLost:
            self.init(
                .sessionLost,
                "The server received the message, but lost the session before it confirmed the delivery.")
        case .packetAbandoned(let count, let subject):
            self.init(
                .packetAbandoned,
                "\(count) connections in a row ended while the server had \(subject.name) to answer, and one without it did not: "
                    + "the client does not send it again.")
        }
    }
}

extension Rejection.Subject {
    /// As a part of a sentence.
    fileprivate var name: String {
        switch self {
        case .message(let topic): "the message to \"\(topic)\""
        case .release: "the release of a QoS 2 message"
        case .subscription(let filter): "the subscription to \"\(filter)\""
        case .unsubscription(let filter): "the end of the subscription to \"\(filter)\""
        }
    }
}
