import CurlewCore

/// Tells observers what happens; what none of them wants costs one comparison.
struct EventDispatch: Sendable {
    private let observers: [(interests: MQTTBrokerEvents, observer: any MQTTBrokerObserver)]
    private let interests: MQTTBrokerEvents

    init(_ observers: [any MQTTBrokerObserver]) {
        self.observers = observers.map { ($0.interests, $0) }
        self.interests = observers.reduce([]) { $0.union($1.interests) }
    }

    @inline(__always)
    func tell(_ kind: MQTTBrokerEvents, _ event: @autoclosure () -> MQTTBrokerEvent) {
        guard self.interests.contains(kind) else { return }
        self.dispatch(kind, event())
    }

    private func dispatch(_ kind: MQTTBrokerEvents, _ event: MQTTBrokerEvent) {
        for (interests, observer) in self.observers where interests.contains(kind) { observer.observe(event) }
    }
}
