package import CurlewTransport
public import Logging

/// How a broker runs. Every value has a default: `MQTTBrokerConfiguration()` listens on 127.0.0.1, port 1883, without TLS.
///
/// ```swift
/// var configuration = MQTTBrokerConfiguration(listeners: [.tcp(port: 0)])
/// configuration.limits.maximumQueuedMessages = 100
/// let broker = MQTTBroker(configuration)
/// ```
public struct MQTTBrokerConfiguration: Sendable {
    /// Where it listens. Default: 127.0.0.1, port 1883, without TLS.
    public var listeners: [Listener]
    /// Who may connect, asked in order; see ``Listener/anonymous`` for when none of them knows a client.
    public var authenticators: [any MQTTBrokerAuthenticator] = []
    /// Authentications of several steps, by their method's name.
    public var enhancedAuthenticators: [any MQTTBrokerEnhancedAuthenticator] = []
    /// Who may do what, asked in order. Default: everybody everything.
    public var authorizers: [any MQTTBrokerAuthorizer] = []
    /// Who sees and may change messages before they are routed.
    public var publishFilters: [any MQTTBrokerPublishFilter] = []
    /// Who is told what happens.
    public var observers: [any MQTTBrokerObserver] = []
    /// Where sessions and retained messages are kept, so that they outlive the broker. Default: nowhere; they are in its memory alone.
    public var store: (any MQTTBrokerStore)?
    /// What clients may do and how much is kept for them.
    public var limits = Limits()
    /// What the broker does that the standard leaves open.
    public var behaviour = Behaviour()
    /// How often the topics below `$SYS` are published. Default: 10 s; zero for never.
    public var systemTopicInterval: Duration = .seconds(10)
    /// Where the broker logs. Default: nowhere. It logs on event loops: a handler that waits, such as for a terminal that stands still, stops
    /// the broker.
    public var logger = Logger(label: "curlew.broker", factory: { _ in SwiftLogNoOpLogHandler() })
    /// The clock that all waiting goes by: a test's own, where it must not take time.
    package var clock = MonotonicClock(ContinuousClock())
    /// The time of day, since 1970: a test's own, where time must pass between two brokers.
    package var timeOfDay: @Sendable () -> Duration = { WallClock.now() }

    /// Makes a configuration.
    ///
    /// - Parameter listeners: Where to listen. Default: 127.0.0.1, port 1883, without TLS.
    public init(listeners: [Listener] = [.tcp()]) { self.listeners = listeners }
}
