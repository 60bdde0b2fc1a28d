import CurlewCore
import NIOCore
import Testing

@testable import CurlewBroker
@testable import CurlewTesting

@Suite("Tasks end with their purpose", .timeLimit(.minutes(1)))
struct TaskTests {
    @Test("The authentication of a client that disconnects is cancelled", arguments: [nil, "STEPS"])
    func authentication(method: String?) async throws {
        let waiting = Waiting()
        try await withPeers({
            $0.authenticators = [WaitingAuthenticator(waiting: waiting)]
            $0.enhancedAuthenticators = [WaitingMethod(waiting: waiting)]
        }) { peers in
            let peer = try await peers.open()
            var connect = Connect(version: .v5_0, keepAlive: 0, clientIdentifier: "c")
            if let method { connect.properties = Properties([.authenticationMethod(method)]) }
            try await peer.send(.connect(connect))
            try await waiting.wait(for: .begun)
            peer.close()
            try await waiting.wait(for: .cancelled)
        }
    }

    @Test("A client that disconnects during one authenticator is not passed to the next")
    func nextAuthenticator() async throws {
        let (first, second) = (Waiting(), Waiting())
        try await withPeers({
            $0.authenticators = [WaitingAuthenticator(waiting: first), WaitingAuthenticator(waiting: second)]
        }) { peers in
            let peer = try await peers.open()
            try await peer.send(.connect(Connect(version: .v5_0, keepAlive: 0, clientIdentifier: "c")))
            try await first.wait(for: .begun)
            peer.close()
            try await first.wait(for: .cancelled)
        }
        #expect(second.now == .idle)
    }

    @Test("A commit that does not end is cancelled when the broker stops")
    func commit() async throws {
        let waiting = Waiting()
        try await withPeers({
            $0.store = WaitingStore(waiting: waiting)
            $0.behavior.shutdownTimeout = .milliseconds(10)
        }) { peers in
            let publisher = try await peers.connect("p")
            try await publisher.publish("x", to: "t", qos: .atLeastOnce, retain: true)
            try await waiting.wait(for: .begun)
            await peers.broker.stop()
            try await waiting.wait(for: .cancelled)
        }
    }
}

/// Waits until its task is cancelled, and records its state.
private final class Waiting: Sendable {
    enum State: Sendable { case idle, begun, cancelled }

    private let state = Watched(State.idle)

    var now: State { self.state.change { $0 } }

    func run() async {
        self.state.change { $0 = .begun }
        let (never, continuation) = AsyncStream<Void>.makeStream()
        for await _ in never {}
        continuation.finish()
        if Task.isCancelled { self.state.change { $0 = .cancelled } }
    }

    func wait(for state: State) async throws {
        _ = try await self.state.wait(for: "\(state)", within: .seconds(30)) { $0 == state ? true : nil as Bool? }
    }
}

private struct WaitingAuthenticator: MQTTBrokerAuthenticator {
    let waiting: Waiting

    func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
        await self.waiting.run()
        return .abstain
    }
}

private struct WaitingMethod: MQTTBrokerEnhancedAuthenticator {
    struct Exchange: MQTTEnhancedAuthentication {
        let waiting: Waiting

        mutating func respond(to data: ByteBuffer?) async throws -> MQTTAuthenticationStep {
            await self.waiting.run()
            return .deny(.notAuthorized)
        }
    }

    let waiting: Waiting
    let method = "STEPS"

    func begin(_ attempt: MQTTConnectionAttempt) -> any MQTTEnhancedAuthentication { Exchange(waiting: self.waiting) }
}

private struct WaitingStore: MQTTBrokerStore {
    let waiting: Waiting

    func load() async throws -> MQTTBrokerSnapshot { MQTTBrokerSnapshot() }

    func commit(_ changes: [MQTTBrokerChange]) async throws {
        await self.waiting.run()
        throw CancellationError()
    }
}
