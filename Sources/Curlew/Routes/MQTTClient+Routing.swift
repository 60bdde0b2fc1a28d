public import CurlewCore
import CurlewTransport
import Logging

/// What a route could not handle.
public struct RouteFailure: Sendable {
    /// The message.
    public let message: MQTTMessage
    /// The pattern of the route.
    public let pattern: TopicPattern
    /// What the handler or its middleware threw; ``MQTTError`` with code `decodingFailed` for a payload or a topic that
    /// does not have the wanted form.
    public let error: any Error
}

/// What happens after a route could not handle a message.
public enum RouteFailurePolicy: Sendable {
    /// Logs a warning, acknowledges the message and continues with the next one.
    case logAndContinue
    /// Ends all routes: ``MQTTClient/route(onFailure:onSubscribed:_:)`` throws the error. The message is not acknowledged.
    case stop
    /// Logs a warning and continues, but does not acknowledge a message at QoS 1 or 2. The broker delivers it again when
    /// the session is resumed; later messages are acknowledged after it, because acknowledgements keep their order.
    case leaveUnacknowledged
}

extension MQTTClient {
    /// Handles messages by topic, until the task is cancelled or the client is disconnected.
    ///
    /// ```swift
    /// try await client.route {
    ///     On("raspberrypi/{camera}/event") { message, captures in
    ///         print(captures["camera"] ?? "", message.text)
    ///     }
    ///     On("home/{room}/temperature", as: Reading.self, .inOrder(per: .topic), atOnce: 8) { reading, captures in
    ///         try await store(reading, room: captures["room"])
    ///     }
    /// }
    /// ```
    ///
    /// Each route has its own subscription and queue (`queues.subscription` of the configuration), so a slow handler
    /// delays only its own route. If several routes match a topic, each of them handles the message; before MQTT 5.0, a
    /// broker may send one copy for each of their filters, and each route then handles every copy. A message at QoS 1 or
    /// 2 is acknowledged when all of them have. Handlers may publish, subscribe and call other devices.
    ///
    /// Without a connection, the call waits up to `connection.acknowledgementTimeout` for the subscriptions. When the
    /// task is cancelled, the handlers are cancelled and the call returns. A message whose handler returns is
    /// acknowledged; one whose handler throws then, or that waits in a queue, goes to the next matching subscription or,
    /// if the broker keeps the session, to the next run.
    ///
    /// - Parameters:
    ///   - onFailure: Decides what happens when a handler throws, or a message does not have the form that its route
    ///     wants. Default: log a warning and continue.
    ///   - onSubscribed: Called once, with the topic filters, when the broker has granted all of them. Default: nothing.
    ///   - routes: The routes.
    /// - Throws: ``MQTTError``: `invalidTopic` for an invalid pattern, `invalidArgument` for `atOnce` below 1 or no
    ///   routes, what `subscribe(to:)` throws, and the error that ends a subscription. With the policy `stop`, what the
    ///   handler threw.
    public nonisolated(nonsending) func route(
        onFailure: @escaping @Sendable (RouteFailure) async -> RouteFailurePolicy = { _ in .logAndContinue },
        onSubscribed: @Sendable ([TopicFilter]) -> Void = { _ in },
        @MQTTRouteBuilder _ routes: () throws -> MQTTRoutes
    ) async throws {
        let routes = try routes().routes
        guard !routes.isEmpty else { throw MQTTError(.invalidArgument, "Give at least one route.") }
        var runners: [RouteRunner] = []
        // Subscribe to all before the first handler runs: a refusal is thrown before anything has happened.
        let parsed = try routes.map { (route: $0, pattern: try $0.validPattern) }
        let others = parsed.filter { !$0.route.isFallback }.map(\.pattern)
        for (route, pattern) in parsed {
            guard
                let subscription = try await self.subscribeUnlessCancelled(
                    to: [TopicSubscription(pattern.filter.string, route.options)])
            else { return }
            runners.append(
                RouteRunner(
                    route, pattern, subscription, self.engine, except: route.isFallback ? others : [], onFailure))
        }
        onSubscribed(parsed.map(\.pattern.filter))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for runner in runners { group.addTask { try await runner.run() } }
            // `waitForAll` would wait for the others after a failure.
            while try await group.next() != nil {}
        }
    }
}

extension MQTTClient {
    /// Subscribes with acknowledgements by hand, for calls that run until they are cancelled: `nil` if that happens
    /// before the broker has granted the subscription.
    nonisolated(nonsending) func subscribeUnlessCancelled(
        to subscriptions: [TopicSubscription], waking consumers: Condition = Condition()
    ) async throws -> MQTTSubscription? {
        do {
            return try await self.engine.subscribe(
                to: subscriptions.map { ($0.filter, $0.options) }, claim: .matching, queue: nil,
                acknowledgement: .manual, timeout: nil, waking: consumers)
        } catch {
            guard Task.isCancelled, MQTTError(of: error).code == .cancelled else { throw error }
            return nil
        }
    }
}

extension MQTTRoute {
    fileprivate var validPattern: TopicPattern {
        get throws(MQTTError) {
            guard self.width > 0 else {
                throw MQTTError(.invalidArgument, "`atOnce` of the route \"\(self.pattern)\" must be at least 1.")
            }
            if case .inOrder = self.order.kind, self.width > 1 {
                throw MQTTError(
                    .invalidArgument,
                    "The route \"\(self.pattern)\" handles messages in order, so `atOnce` cannot be \(self.width): use `.inOrder(per:)` or `.unordered`."
                )
            }
            return try TopicPattern(self.pattern)
        }
    }
}
