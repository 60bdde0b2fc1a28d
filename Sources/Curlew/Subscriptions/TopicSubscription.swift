public import CurlewCore

/// A topic filter, and how the broker is to serve it.
public struct TopicSubscription: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The topic filter; `$share/{group}/{filter}` for a share of the messages (MQTT 5.0 section 4.8.2).
    public var filter: String
    /// How the broker is to serve it.
    public var options: SubscriptionOptions

    /// Makes a subscription to be asked for.
    ///
    /// - Parameters:
    ///   - filter: The topic filter.
    ///   - options: How the broker is to serve it. Default: QoS 2, so that each message keeps the QoS it was published with.
    public init(_ filter: String, _ options: SubscriptionOptions = SubscriptionOptions()) {
        self.filter = filter
        self.options = options
    }

    /// A topic filter with the default options, as in `subscribe(to: ["home/#", "garage/door"])`.
    public init(stringLiteral filter: String) { self.init(filter) }
}
