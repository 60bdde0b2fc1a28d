/// In which order a route handles its messages.
public struct RouteOrder: Sendable {
    enum Kind: Sendable {
        case inOrder
        case perKey(@Sendable (MQTTMessage) -> String)
        case unordered
    }

    let kind: Kind

    /// One message after the other, in the order of their arrival.
    public static let inOrder = Self(kind: .inOrder)
    /// Messages may overtake each other.
    public static let unordered = Self(kind: .unordered)

    /// Messages with the same key in the order of their arrival; others may overtake them.
    public static func inOrder(per key: Key) -> Self { Self(kind: .perKey(key.of)) }

    /// What messages must have in common to be handled in order.
    public struct Key: Sendable {
        let of: @Sendable (MQTTMessage) -> String

        /// The topic.
        public static let topic = Self { $0.topic.string }

        /// What a closure returns for a message.
        public static func custom(_ key: @escaping @Sendable (MQTTMessage) -> String) -> Self { Self(of: key) }
    }
}
