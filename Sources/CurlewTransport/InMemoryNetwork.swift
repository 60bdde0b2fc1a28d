package import NIOCore
import Synchronization

/// An in-process network: deterministic links between event loops, with back-pressure like that of real ones.
///
/// Bytes arrive in order, and one write is one read. Nothing happens within a call: the other end sees the effect of a
/// call in a later task of its event loop.
package final class InMemoryNetwork: Connector {
    private struct Listener {
        let eventLoop: any EventLoop
        let accept: @Sendable (InMemoryLink) -> any LinkHandler
    }

    private enum Answer {
        case accept(Listener)
        case silence
    }

    private let timeout: Duration
    private let capacity: Int
    /// Guards the listeners by address.
    private let answers = Mutex<[String: Answer]>([:])

    /// Creates a network without listeners.
    ///
    /// - Parameters:
    ///   - timeout: How long an attempt to connect may take. Default: 10 seconds.
    ///   - capacity: The number of bytes in flight in one direction above which the link is not writable. It becomes
    ///     writable again at a quarter of it. Default: 256 KiB.
    package init(timeout: Duration = .seconds(10), capacity: Int = 256 << 10) {
        self.timeout = timeout
        self.capacity = capacity
    }

    /// Accepts connections to `endpoint` from now on, with or without TLS.
    ///
    /// - Parameter accept: Creates the owner of the listening end of a new link; called on `eventLoop`.
    package func listen(
        at endpoint: Endpoint, on eventLoop: any EventLoop,
        accept: @escaping @Sendable (InMemoryLink) -> any LinkHandler
    ) {
        let listener = Listener(eventLoop: eventLoop, accept: accept)
        self.answers.withLock { $0["\(endpoint)"] = .accept(listener) }
    }

    /// Does not answer connection attempts to `endpoint`, so that they time out.
    package func ignoreConnections(to endpoint: Endpoint) {
        self.answers.withLock { $0["\(endpoint)"] = .silence }
    }

    /// Refuses connections to `endpoint` again. Existing links stay open.
    package func stopListening(at endpoint: Endpoint) {
        self.answers.withLock { $0["\(endpoint)"] = nil }
    }

    package func connect(
        to endpoint: Endpoint, on eventLoop: any EventLoop,
        handler: @escaping @Sendable (any Link) -> any LinkHandler
    ) async throws(TransportError) {
        let attempt = Attempt(endpoint: endpoint, eventLoop: eventLoop)
        do {
            try await withTaskCancellationHandler {
                eventLoop.execute { self.start(attempt, handler: handler) }
                try await attempt.result.futureResult.get()
            } onCancel: {
                eventLoop.execute { attempt.end(.cancelled(endpoint)) }
            }
        } catch {
            throw TransportError(connectingTo: endpoint, failedWith: error, timeout: self.timeout)
        }
    }

    private func start(_ attempt: Attempt, handler: @escaping @Sendable (any Link) -> any LinkHandler) {
        let endpoint = attempt.endpoint
        switch self.answers.withLock({ $0["\(endpoint)"] }) {
        case .accept(let listener):
            let near = InMemoryLink(eventLoop: attempt.eventLoop, peer: "\(endpoint)", capacity: self.capacity)
            let far = InMemoryLink(eventLoop: listener.eventLoop, peer: "in-memory client", capacity: self.capacity)
            listener.eventLoop.execute {
                far.open(to: near, makeOwner: listener.accept)
                attempt.eventLoop.execute {
                    guard !attempt.isOver else { return near.abandon(far) }
                    near.open(to: far) { handler($0) }
                    attempt.end(nil)
                }
            }
        case .silence:
            attempt.expire(after: self.timeout)
        case nil:
            attempt.end(
                TransportError(.connectionRefused, "\(endpoint) refused the connection; nobody listens there."))
        }
    }
}

extension InMemoryNetwork {
    /// One attempt to connect, on the event loop of the connecting end.
    private final class Attempt: Sendable {
        private struct State {
            var isOver = false
            var deadline: Scheduled<Void>?
        }

        let endpoint: Endpoint
        let eventLoop: any EventLoop
        let result: EventLoopPromise<Void>
        private let state: NIOLoopBoundBox<State>

        init(endpoint: Endpoint, eventLoop: any EventLoop) {
            self.endpoint = endpoint
            self.eventLoop = eventLoop
            self.result = eventLoop.makePromise()
            self.state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
        }

        func expire(after timeout: Duration) {
            guard !self.state.value.isOver else { return }
            self.state.value.deadline = self.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
                self.end(.timedOut(self.endpoint, timeout))
            }
        }

        var isOver: Bool { self.state.value.isOver }

        func end(_ error: TransportError?) {
            guard !self.state.value.isOver else { return }
            self.state.value.isOver = true
            self.state.value.deadline?.cancel()
            if let error { self.result.fail(error) } else { self.result.succeed(()) }
        }
    }
}
