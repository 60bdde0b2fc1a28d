public import CurlewCore

/// A topic filter and its subscription options.
public struct TopicSubscription: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The topic filter; `$share/{group}/{filter}` for a share of the messages (MQTT 5.0 section 4.8.2).
    public var filter: String
    /// The subscription options.
    public var options: SubscriptionOptions

    /// Creates a topic filter with options.
    ///
    /// - Parameters:
    ///   - filter: The topic filter.
    ///   - options: The subscription options. Default: QoS 2, so that each message keeps the QoS it was published with.
    public init(_ filter: String, _ options: SubscriptionOptions = SubscriptionOptions()) {
        self.filter = filter
        self.options = options
    }

    /// Creates a topic filter with the default options, as in `subscribe(to: ["home/#", "garage/door"])`.
    public init(stringLiteral filter: String) { self.init(filter) }
}
