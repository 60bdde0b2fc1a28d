import CurlewCore
import CurlewTransport
import Logging
import Synchronization
import Tracing

/// Runs the handler of one route for the messages of its subscription.
final class RouteRunner: Sendable {
    private let route: MQTTRoute
    private let pattern: TopicPattern
    private let subscription: MQTTSubscription
    private let engine: ClientEngine
    /// The patterns of other routes, whose messages this one leaves to them.
    private let exceptions: [TopicPattern]
    private let onFailure: @Sendable (RouteFailure) async -> RouteFailurePolicy
    /// The middleware and the handler.
    private let handle: @Sendable (RoutedMessage) async throws -> Void
    /// Guards the messages that are handled or wait for it.
    private let lanes: Mutex<RouteLanes<MQTTMessage, String>>
    /// The loop waits until fewer messages wait.
    private let changed = Condition()

    /// How many messages are taken from the queue before they can be handled: enough to find keys that are not busy.
    private static let lookAhead = 256

    init(
        _ route: MQTTRoute, _ pattern: TopicPattern, _ subscription: MQTTSubscription, _ engine: ClientEngine,
        except exceptions: [TopicPattern] = [],
        _ onFailure: @escaping @Sendable (RouteFailure) async -> RouteFailurePolicy
    ) {
        self.route = route
        self.pattern = pattern
        self.subscription = subscription
        self.engine = engine
        self.exceptions = exceptions
        self.onFailure = onFailure
        self.lanes = Mutex(RouteLanes(width: route.width))
        let coder = engine.configuration.payloadCoder
        var handle: @Sendable (RoutedMessage) async throws -> Void = { try await route.handle($0, coder) }
        for middleware in route.middleware.reversed() {
            handle = { [next = handle] routed in try await middleware.handle(routed, next: next) }
        }
        self.handle = handle
    }

    func run() async throws {
        guard self.route.width > 1 else { return try await self.runInOrder() }
        try await withThrowingDiscardingTaskGroup { group in
            var iterator = self.subscription.makeAsyncIterator()
            while let message = try await iterator.next() {
                await self.changed.wait { self.lanes.withLock { $0.count >= self.route.width + Self.lookAhead } }
                let key = self.key(of: message)
                guard self.lanes.withLock({ $0.add(message, key: key) }) == .run else { continue }
                group.addTask { try await self.work(on: message, key) }
            }
        }
    }

    /// Without tasks of its own for each message.
    private func runInOrder() async throws {
        var iterator = self.subscription.makeAsyncIterator()
        while let message = try await iterator.next() { try await self.process(message) }
    }

    /// The key is computed before the lock is taken: it is user code.
    private func key(of message: MQTTMessage) -> String? {
        switch self.route.order.kind {
        case .perKey(let key): key(message)
        case .inOrder: ""
        case .unordered: nil
        }
    }

    /// Handles a message, then those that wait for its place.
    private func work(on message: MQTTMessage, _ key: String?) async throws {
        var current: (job: MQTTMessage, key: String?)? = (message, key)
        var failure: (any Error)?
        while let (message, key) = current {
            if failure == nil {
                do { try await self.process(message) } catch { failure = error }
            } else {
                // The route stops: what waited behind the failed message goes to the next subscription.
                self.handBack(message)
            }
            current = self.lanes.withLock { $0.ended(key) }
            self.changed.wakeAll()
        }
        if let failure { throw failure }
    }

    private func process(_ message: MQTTMessage) async throws {
        // After a cancellation, messages that were not handled go to the next subscription.
        guard !Task.isCancelled else { return self.handBack(message) }
        if self.exceptions.contains(where: { $0.filter.matches(message.topic) }) {
            try? self.subscription.acknowledge(message)
            return
        }
        let routed = RoutedMessage(
            message: message, captures: TopicCaptures(self.pattern.values(in: message.topic)), pattern: self.pattern,
            prefixLevels: self.route.prefixLevels)
        do {
            if message.properties.userProperties.isEmpty {
                try await self.handle(routed)
            } else {
                try await ServiceContext.withValue(self.engine.context(of: message)) { try await self.handle(routed) }
            }
        } catch {
            guard !Task.isCancelled else { return self.handBack(message) }
            guard try await self.failed(message, error) else { return }
        }
        // Each message is acknowledged once, with the policy `.manual`, so this does not throw.
        try? self.subscription.acknowledge(message)
    }

    /// Returns whether to acknowledge the message.
    private func failed(_ message: MQTTMessage, _ error: any Error) async throws -> Bool {
        let policy = await self.onFailure(RouteFailure(message: message, pattern: self.pattern, error: error))
        if policy == .stop {
            self.handBack(message)
            throw error
        }
        self.engine.logger.warning(
            "message not handled",
            metadata: ["topic": "\(message.topic)", "route": "\(self.pattern)", "error": "\(error)"])
        return policy == .logAndContinue
    }

    private func handBack(_ message: MQTTMessage) { self.engine.handBack([message]) }
}
