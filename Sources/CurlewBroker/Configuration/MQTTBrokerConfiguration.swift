package import CurlewTransport

/// The configuration of a broker. Every value has a default: `MQTTBrokerConfiguration()` listens on 127.0.0.1, port
/// 1883, without TLS.
///
/// ```swift
/// var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
/// configuration.limits.maximumQueuedMessages = 100
/// let broker = MQTTBroker(configuration)
/// ```
public struct MQTTBrokerConfiguration: Sendable {
    /// The addresses to listen on. Default: 127.0.0.1, port 1883, without TLS.
    public var listeners: [Listener]
    /// Decide who may connect, in order; see ``Listener/anonymous`` for clients that all of them abstain from.
    public var authenticators: [any MQTTBrokerAuthenticator] = []
    /// Enhanced authentication methods.
    public var enhancedAuthenticators: [any MQTTBrokerEnhancedAuthenticator] = []
    /// Decide what clients may do, in order. Default: none, everything is allowed.
    public var authorizers: [any MQTTBrokerAuthorizer] = []
    /// Inspect messages before they are routed, and may change or reject them; in order.
    public var publishFilters: [any MQTTBrokerPublishFilter] = []
    /// Observe what happens.
    public var observers: [any MQTTBrokerObserver] = []
    /// Keeps sessions and retained messages, so that they outlive the broker. Default: none; they are kept in memory
    /// only.
    public var store: (any MQTTBrokerStore)?
    /// Limits of what clients may do, and of what is kept for them.
    public var limits = Limits()
    /// Behavior that the standard leaves open.
    public var behavior = Behavior()
    /// How often the topics below `$SYS` are published; zero for never. Default: 10 s.
    public var systemTopicInterval: Duration = .seconds(10)
    /// The clock for all deadlines. Tests set one of their own, so that they take no time.
    package var clock = MonotonicClock(ContinuousClock())
    /// The time since 1970. Tests set one of their own, to let time pass between two brokers.
    package var timeOfDay: @Sendable () -> Duration = { WallClock.now() }

    /// Makes a configuration.
    ///
    /// - Parameter listeners: Where to listen. Default: 127.0.0.1, port 1883, without TLS.
    public init(listeners: [Listener] = [.tcp()]) { self.listeners = listeners }
}
