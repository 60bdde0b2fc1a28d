/// Dispatches events to the observers that want them. An event that nobody wants costs one comparison.
///
/// Observers are user code and must not be called under a lock: there, ``note(_:_:in:)`` collects events.
struct EventDispatch: Sendable {
    private let observers: [(interests: MQTTBrokerEvents, observer: any MQTTBrokerObserver)]
    private let interests: MQTTBrokerEvents

    init(_ observers: [any MQTTBrokerObserver]) {
        self.observers = observers.map { ($0.interests, $0) }
        self.interests = observers.reduce([]) { $0.union($1.interests) }
    }

    /// Tells the observers at once; under no lock.
    @inline(__always)
    func tell(_ kind: MQTTBrokerEvents, _ event: @autoclosure () -> MQTTBrokerEvent) {
        guard self.interests.contains(kind) else { return }
        self.dispatch(event())
    }

    /// Collects an event for ``dispatch(_:)``.
    @inline(__always)
    func note(_ kind: MQTTBrokerEvents, _ event: @autoclosure () -> MQTTBrokerEvent, in effects: inout Effects) {
        guard self.interests.contains(kind) else { return }
        effects.add(event())
    }

    /// Calls the observers that want such an event; under no lock.
    func dispatch(_ event: MQTTBrokerEvent) {
        let kind = event.kind
        for (interests, observer) in self.observers where interests.contains(kind) { observer.observe(event) }
    }
}

extension MQTTBrokerEvent {
    /// The kind that observers state an interest in.
    fileprivate var kind: MQTTBrokerEvents {
        switch self {
        case .connected, .refused, .disconnected: .connections
        case .subscribed, .unsubscribed: .subscriptions
        case .dropped: .dropped
        case .acknowledged: .acknowledged
        case .retained: .retained
        }
    }
}
