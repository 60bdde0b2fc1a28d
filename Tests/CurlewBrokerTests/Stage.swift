import CurlewCore
import CurlewTransport
import Synchronization

@testable import CurlewBroker

/// Records how often the broker reaches a point, and how far it is when other work on the same event loop gets its
/// turn.
final class Stage: MQTTBrokerAuthorizer, MQTTBrokerPublishFilter, MQTTBrokerObserver {
    enum Point { case subscription, end, message }

    private struct State {
        var watched: Point?
        var broker: MQTTBroker?
        /// What ``turn()`` returns instead of the number of steps.
        var measure: (@Sendable () -> Int)?
        /// Whether subscriptions are denied.
        var denies = false
        var steps = 0
    }

    private let state = Mutex(State())
    private let turns = AsyncStream.makeStream(of: Int.self)

    let interests: MQTTBrokerEvents = [.connections, .subscriptions]

    /// How often the broker has reached the watched point.
    var steps: Int { self.state.withLock { $0.steps } }

    /// Starts counting. When the broker first reaches the point, another task is queued on the same event loop.
    func watch(
        _ point: Point, of broker: MQTTBroker, denies: Bool = false, _ measure: (@Sendable () -> Int)? = nil
    ) {
        self.state.withLock { $0 = State(watched: point, broker: broker, measure: measure, denies: denies) }
    }

    /// The broker's progress when the queued task ran.
    func turn() async -> Int {
        for await turn in self.turns.stream { return turn }
        return 0
    }

    private func pass(_ point: Point) {
        let (broker, measure) = self.state.withLock { state -> (MQTTBroker?, (@Sendable () -> Int)?) in
            guard state.watched == point else { return (nil, nil) }
            state.steps += 1
            return (Swift.exchange(&state.broker, with: nil), state.measure)
        }
        guard let loop = broker?.workers.all.first(where: { $0.eventLoop.inEventLoop })?.eventLoop else { return }
        loop.execute { self.turns.continuation.yield(measure?() ?? self.steps) }
    }

    func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        guard case .subscribe = action else { return .abstain }
        self.pass(.subscription)
        return self.state.withLock { $0.denies } ? .deny : .abstain
    }

    func willPublish(_ message: MQTTBrokerMessage, from client: MQTTBrokerClient?) -> MQTTPublishDecision {
        self.pass(.message)
        return .allow
    }

    func observe(_ event: MQTTBrokerEvent) {
        switch event {
        case .unsubscribed: self.pass(.subscription)
        case .disconnected: self.pass(.end)
        default: break
        }
    }
}
