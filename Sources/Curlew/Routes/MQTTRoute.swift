public import CurlewCore

/// The short name of ``MQTTRoute``: `On("home/{room}/temperature") { message, captures in … }`.
public typealias On = MQTTRoute

/// A topic pattern and the handler of its messages; see ``MQTTClient/route(onFailure:onSubscribed:_:)``.
public struct MQTTRoute: Sendable {
    /// The topic pattern, with the prefixes of the groups around it.
    var pattern: String
    /// The number of levels of these prefixes.
    var prefixLevels = 0
    private(set) var options: SubscriptionOptions
    let order: RouteOrder
    /// The maximum number of messages that are handled at once.
    let width: Int
    let handle: @Sendable (RoutedMessage, any MQTTPayloadCoder) async throws -> Void
    /// Runs around the handler, the first outermost.
    var middleware: [any MQTTRouteMiddleware] = []

    private init(
        _ pattern: String, _ qos: QoS, _ order: RouteOrder?, _ width: Int?,
        _ handle: @escaping @Sendable (RoutedMessage, any MQTTPayloadCoder) async throws -> Void
    ) {
        self.pattern = pattern
        self.options = SubscriptionOptions(qos: qos)
        let order = order ?? (width ?? 1 > 1 ? .unordered : .inOrder)
        self.order = order
        self.width = if case .inOrder = order.kind { width ?? 1 } else { width ?? Self.defaultWidth }
        self.handle = handle
    }

    private static let defaultWidth = 16

    /// Whether the route handles only messages that no other route handles.
    private(set) var isFallback = false

    /// A copy of the route that handles only the messages which no other route handles.
    ///
    /// ```swift
    /// On("home/{room}/temperature") { message, captures in … }
    /// On("home/#") { message in print("unexpected", message.topic) }.otherwise()
    /// ```
    ///
    /// The other routes are those of the same ``MQTTClient/route(onFailure:onSubscribed:_:)``, except those that are
    /// also marked in this way.
    public func otherwise() -> Self {
        var copy = self
        copy.isFallback = true
        return copy
    }

    /// A copy of the route that subscribes with other options, for example without the messages of this client
    /// (`noLocal`) or without retained ones.
    ///
    /// - Parameter change: Changes the options, in which the QoS is that of the route.
    public func options(_ change: (inout SubscriptionOptions) -> Void) -> Self {
        var copy = self
        change(&copy.options)
        return copy
    }

    /// A route whose handler gets the message and the captured parts of its topic.
    ///
    /// - Parameters:
    ///   - pattern: The topic pattern, such as `home/{room}/temperature`; see ``TopicPattern``.
    ///   - order: In which order messages are handled. Default: in the order of their arrival, one after the other;
    ///     `.unordered` if `atOnce` is more than 1.
    ///   - width: The maximum number of messages that are handled at once. Default: 1 for `.inOrder`, otherwise 16.
    ///   - qos: The maximum QoS. Default: exactly once, so that each message keeps the QoS it was published with.
    ///   - handler: Handles a message. It is acknowledged when the handler returns.
    public init(
        _ pattern: String, _ order: RouteOrder? = nil, atOnce width: Int? = nil, qos: QoS = .exactlyOnce,
        handler: @escaping @Sendable (MQTTMessage, TopicCaptures) async throws -> Void
    ) {
        self.init(pattern, qos, order, width) { routed, _ in try await handler(routed.message, routed.captures) }
    }

    /// A route whose handler gets only the message.
    ///
    /// - Parameters:
    ///   - pattern: The topic pattern, such as `home/+/temperature`; see ``TopicPattern``.
    ///   - order: In which order messages are handled. Default: in the order of their arrival, one after the other;
    ///     `.unordered` if `atOnce` is more than 1.
    ///   - width: The maximum number of messages that are handled at once. Default: 1 for `.inOrder`, otherwise 16.
    ///   - qos: The maximum QoS. Default: exactly once, so that each message keeps the QoS it was published with.
    ///   - handler: Handles a message. It is acknowledged when the handler returns.
    public init(
        _ pattern: String, _ order: RouteOrder? = nil, atOnce width: Int? = nil, qos: QoS = .exactlyOnce,
        handler: @escaping @Sendable (MQTTMessage) async throws -> Void
    ) {
        self.init(pattern, qos, order, width) { routed, _ in try await handler(routed.message) }
    }

    /// A route whose handler gets a decoded value and the captured parts of the topic.
    ///
    /// - Parameters:
    ///   - pattern: The topic pattern, such as `home/{room}/temperature`; see ``TopicPattern``.
    ///   - type: The type of the payload. A payload that does not decode is a failure of the route.
    ///   - coder: Decodes the payload. Default: `payloadCoder` of the client's configuration, which is JSON by default.
    ///   - order: In which order messages are handled. Default: in the order of their arrival, one after the other;
    ///     `.unordered` if `atOnce` is more than 1.
    ///   - width: The maximum number of messages that are handled at once. Default: 1 for `.inOrder`, otherwise 16.
    ///   - qos: The maximum QoS. Default: exactly once, so that each message keeps the QoS it was published with.
    ///   - handler: Handles a message. It is acknowledged when the handler returns.
    public init<Value: Decodable & Sendable>(
        _ pattern: String, as type: Value.Type, with coder: (any MQTTPayloadCoder)? = nil,
        _ order: RouteOrder? = nil, atOnce width: Int? = nil, qos: QoS = .exactlyOnce,
        handler: @escaping @Sendable (Value, TopicCaptures) async throws -> Void
    ) {
        self.init(pattern, qos, order, width) { routed, own in
            try await handler(routed.message.decode(Value.self, with: coder ?? own), routed.captures)
        }
    }

    /// A route whose handler gets the message and the typed part of its topic.
    ///
    /// A topic whose parts do not have these types, such as `home/x/floor` for a number, is a failure of the route.
    ///
    /// - Parameters:
    ///   - template: The topic, made with ``MQTT/topic(_:)``.
    ///   - order: In which order messages are handled. Default: in the order of their arrival, one after the other;
    ///     `.unordered` if `atOnce` is more than 1.
    ///   - width: The maximum number of messages that are handled at once. Default: 1 for `.inOrder`, otherwise 16.
    ///   - qos: The maximum QoS. Default: exactly once, so that each message keeps the QoS it was published with.
    ///   - handler: Handles a message. It is acknowledged when the handler returns.
    public init<Part: TopicPart>(
        _ template: TopicTemplate<Part>, _ order: RouteOrder? = nil, atOnce width: Int? = nil,
        qos: QoS = .exactlyOnce, handler: @escaping @Sendable (MQTTMessage, Part) async throws -> Void
    ) {
        self.init(template.filter, qos, order, width) { routed, _ in
            try await handler(routed.message, template.parts(of: routed.topicWithoutPrefix))
        }
    }

    /// A route whose handler gets the message and the typed parts of its topic.
    ///
    /// A topic whose parts do not have these types, such as `home/x/floor` for a number, is a failure of the route.
    ///
    /// - Parameters:
    ///   - template: The topic, made with ``MQTT/topic(_:)``.
    ///   - order: In which order messages are handled. Default: in the order of their arrival, one after the other;
    ///     `.unordered` if `atOnce` is more than 1.
    ///   - width: The maximum number of messages that are handled at once. Default: 1 for `.inOrder`, otherwise 16.
    ///   - qos: The maximum QoS. Default: exactly once, so that each message keeps the QoS it was published with.
    ///   - handler: Handles a message. It is acknowledged when the handler returns.
    public init<First: TopicPart, Second: TopicPart>(
        _ template: TopicTemplate<(First, Second)>, _ order: RouteOrder? = nil, atOnce width: Int? = nil,
        qos: QoS = .exactlyOnce, handler: @escaping @Sendable (MQTTMessage, First, Second) async throws -> Void
    ) {
        self.init(template.filter, qos, order, width) { routed, _ in
            let parts = try template.parts(of: routed.topicWithoutPrefix)
            try await handler(routed.message, parts.0, parts.1)
        }
    }

    /// A route whose handler gets the message and the typed parts of its topic.
    ///
    /// A topic whose parts do not have these types, such as `home/x/floor` for a number, is a failure of the route.
    ///
    /// - Parameters:
    ///   - template: The topic, made with ``MQTT/topic(_:)``.
    ///   - order: In which order messages are handled. Default: in the order of their arrival, one after the other;
    ///     `.unordered` if `atOnce` is more than 1.
    ///   - width: The maximum number of messages that are handled at once. Default: 1 for `.inOrder`, otherwise 16.
    ///   - qos: The maximum QoS. Default: exactly once, so that each message keeps the QoS it was published with.
    ///   - handler: Handles a message. It is acknowledged when the handler returns.
    public init<First: TopicPart, Second: TopicPart, Third: TopicPart>(
        _ template: TopicTemplate<(First, Second, Third)>, _ order: RouteOrder? = nil, atOnce width: Int? = nil,
        qos: QoS = .exactlyOnce,
        handler: @escaping @Sendable (MQTTMessage, First, Second, Third) async throws -> Void
    ) {
        self.init(template.filter, qos, order, width) { routed, _ in
            let parts = try template.parts(of: routed.topicWithoutPrefix)
            try await handler(routed.message, parts.0, parts.1, parts.2)
        }
    }
}

/// A message on its way through a route.
public struct RoutedMessage: Sendable {
    /// The message.
    public var message: MQTTMessage
    /// The captured parts of its topic.
    public let captures: TopicCaptures
    /// The pattern of the route.
    public let pattern: TopicPattern
    /// The levels that groups around the route have put before its own pattern.
    let prefixLevels: Int

    /// The topic as the route itself has written it.
    var topicWithoutPrefix: TopicName {
        get throws(MQTTError) {
            guard self.prefixLevels > 0 else { return self.message.topic }
            let levels = self.message.topic.string.split(separator: "/", omittingEmptySubsequences: false)
            let rest = levels.dropFirst(self.prefixLevels).joined(separator: "/")
            do { return try TopicName(rest) } catch {
                throw MQTTError(.decodingFailed, error.message, cause: error)
            }
        }
    }
}

/// Routes that belong together, with a common beginning of their topics or common middleware.
///
/// ```swift
/// let home = MQTTRoutes(prefix: "home", middleware: [RouteLog(logger)]) {
///     On("{room}/temperature") { message, captures in … }
///     On("door") { message, _ in … }
/// }
/// try await client.route { home }
/// ```
public struct MQTTRoutes: Sendable {
    var routes: [MQTTRoute]

    /// Creates a group of routes.
    ///
    /// - Parameters:
    ///   - prefix: Levels that come before the pattern of each route. Default: none.
    ///   - middleware: Runs around the handlers of the routes, the first outermost. Default: none.
    ///   - routes: The routes.
    public init(
        prefix: String? = nil, middleware: [any MQTTRouteMiddleware] = [],
        @MQTTRouteBuilder _ routes: () throws -> MQTTRoutes
    ) rethrows {
        self.routes = try routes().routes.map { route in
            var route = route
            if let prefix {
                route.pattern = "\(prefix)/\(route.pattern)"
                route.prefixLevels += prefix.split(separator: "/", omittingEmptySubsequences: false).count
            }
            route.middleware = middleware + route.middleware
            return route
        }
    }

    init(_ routes: [MQTTRoute]) { self.routes = routes }
}

/// Builds a list of routes from a block of code.
@resultBuilder
public enum MQTTRouteBuilder {
    /// A route is a group of one.
    public static func buildExpression(_ route: MQTTRoute) -> MQTTRoutes { MQTTRoutes([route]) }
    /// A group of routes.
    public static func buildExpression(_ routes: MQTTRoutes) -> MQTTRoutes { routes }
    /// All routes of the block.
    public static func buildBlock(_ parts: MQTTRoutes...) -> MQTTRoutes { MQTTRoutes(parts.flatMap(\.routes)) }
    /// `if` without `else`.
    public static func buildOptional(_ part: MQTTRoutes?) -> MQTTRoutes { part ?? MQTTRoutes([]) }
    /// `if`.
    public static func buildEither(first part: MQTTRoutes) -> MQTTRoutes { part }
    /// `else`.
    public static func buildEither(second part: MQTTRoutes) -> MQTTRoutes { part }
    /// `for`.
    public static func buildArray(_ parts: [MQTTRoutes]) -> MQTTRoutes { MQTTRoutes(parts.flatMap(\.routes)) }
}
