import CoreMetrics
public import Logging
import Tracing

/// Runs around the handlers of routes: to log, to measure, or to decide whether a message is handled.
///
/// ```swift
/// struct OnlyFresh: MQTTRouteMiddleware {
///     func handle(_ routed: RoutedMessage, next: @Sendable (RoutedMessage) async throws -> Void) async throws {
///         if !routed.message.isRetained { try await next(routed) }
///     }
/// }
/// ```
public protocol MQTTRouteMiddleware: Sendable {
    /// Handles a message.
    ///
    /// - Parameters:
    ///   - routed: The message and its route.
    ///   - next: The rest of the middleware and the handler. If it is not called, the message counts as handled.
    /// - Throws: What `next` throws, or an error of its own, which is then the failure of the route.
    func handle(
        _ routed: RoutedMessage, next: @Sendable (RoutedMessage) async throws -> Void
    ) async throws
}

/// Logs each message that a route handles, with its topic, its pattern and the time that the handler took.
public struct RouteLog: MQTTRouteMiddleware {
    private let logger: Logger
    private let level: Logger.Level

    /// Creates middleware that logs.
    ///
    /// - Parameters:
    ///   - logger: The logger to use.
    ///   - level: The level. Default: debug. Failures are logged by ``MQTTClient/route(onFailure:onSubscribed:_:)`` itself.
    public init(_ logger: Logger, level: Logger.Level = .debug) {
        self.logger = logger
        self.level = level
    }

    /// Handles the message, then logs it.
    public func handle(
        _ routed: RoutedMessage, next: @Sendable (RoutedMessage) async throws -> Void
    ) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        try await next(routed)
        self.logger.log(
            level: self.level, "message handled",
            metadata: [
                "topic": "\(routed.message.topic)", "route": "\(routed.pattern)", "time": "\(clock.now - start)",
            ])
    }
}

/// Measures the handlers of routes with swift-metrics: the timer `mqtt_route_duration` and the counter
/// `mqtt_route_failures_total`, each with the dimension `route`.
public struct RouteMetrics: MQTTRouteMiddleware {
    /// Creates middleware that measures.
    public init() {}

    /// Handles the message and measures it.
    public func handle(
        _ routed: RoutedMessage, next: @Sendable (RoutedMessage) async throws -> Void
    ) async throws {
        let dimensions = [("route", "\(routed.pattern)")]
        let clock = ContinuousClock()
        let start = clock.now
        do {
            try await next(routed)
        } catch {
            Counter(label: "mqtt_route_failures_total", dimensions: dimensions).increment()
            throw error
        }
        let (seconds, attoseconds) = (clock.now - start).components
        Timer(label: "mqtt_route_duration", dimensions: dimensions)
            .recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}

/// Makes each handled message a span of swift-distributed-tracing, with the publisher's span as its parent if the message
/// carries one.
public struct RouteTracing: MQTTRouteMiddleware {
    /// Creates middleware that traces.
    public init() {}

    /// Handles the message in a span.
    public func handle(
        _ routed: RoutedMessage, next: @Sendable (RoutedMessage) async throws -> Void
    ) async throws {
        try await withSpan("process \(routed.pattern)", ofKind: .consumer) { span in
            span.attributes["messaging.system"] = "mqtt"
            span.attributes["messaging.destination.name"] = routed.message.topic.string
            try await next(routed)
        }
    }
}
