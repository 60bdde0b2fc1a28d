/// The short name of ``MQTTMethod``: `OnCall("Temperature.Set") { (point: SetPoint) in … }`.
public typealias OnCall = MQTTMethod

/// A method that a device answers; see ``MQTTClient/serve(_:_:concurrency:onSubscribed:_:)``.
///
/// The handler gets the decoded parameters, the call, both or nothing, and returns the result or nothing. To answer an
/// error, it throws ``MQTTDeviceError``; any other error is answered with the code for failures and the error's
/// description: do not throw errors whose description the caller must not see.
public struct MQTTMethod: Sendable {
    /// The name of the method.
    public let name: String
    /// The maximum number of calls that are handled at once; `nil` for no limit of its own.
    let width: Int?
    /// How long the handler may take.
    let timeLimit: Duration?
    let handle: @Sendable (MQTTCall) async throws -> any Encodable & Sendable

    private init(
        name: String, _ width: Int?, _ timeLimit: Duration?,
        handle: @escaping @Sendable (MQTTCall) async throws -> any Encodable & Sendable
    ) {
        self.name = name
        self.width = width
        self.timeLimit = timeLimit
        self.handle = handle
    }

    /// A method with parameters and a result.
    ///
    /// - Parameters:
    ///   - name: The name of the method.
    ///   - width: The maximum number of calls that are handled at once; 1 handles them in their order. Default: `nil`,
    ///     only the limit for all methods together.
    ///   - timeLimit: How long the handler may take before it is cancelled, and the caller gets an error. Default:
    ///     `nil`, until the request expires.
    ///   - handler: Gets the decoded parameters and returns the result.
    public init<Params: Decodable & Sendable, Answer: Encodable & Sendable>(
        _ name: String, atOnce width: Int? = nil, within timeLimit: Duration? = nil,
        handler: @escaping @Sendable (Params) async throws -> Answer
    ) {
        self.init(name: name, width, timeLimit) { try await handler($0.params()) }
    }

    /// A method with parameters, a result, and a handler that also gets the call.
    ///
    /// - Parameters:
    ///   - name: The name of the method.
    ///   - width: The maximum number of calls that are handled at once. Default: `nil`, no limit of its own.
    ///   - timeLimit: How long the handler may take. Default: `nil`, until the request expires.
    ///   - handler: Gets the decoded parameters and the call, and returns the result.
    public init<Params: Decodable & Sendable, Answer: Encodable & Sendable>(
        _ name: String, atOnce width: Int? = nil, within timeLimit: Duration? = nil,
        handler: @escaping @Sendable (Params, MQTTCall) async throws -> Answer
    ) {
        self.init(name: name, width, timeLimit) { try await handler($0.params(), $0) }
    }

    /// A method without parameters.
    ///
    /// - Parameters:
    ///   - name: The name of the method.
    ///   - width: The maximum number of calls that are handled at once. Default: `nil`, no limit of its own.
    ///   - timeLimit: How long the handler may take. Default: `nil`, until the request expires.
    ///   - handler: Returns the result.
    public init<Answer: Encodable & Sendable>(
        _ name: String, atOnce width: Int? = nil, within timeLimit: Duration? = nil,
        handler: @escaping @Sendable () async throws -> Answer
    ) {
        self.init(name: name, width, timeLimit) { _ in try await handler() }
    }

    /// A method with parameters whose result is `null`.
    ///
    /// - Parameters:
    ///   - name: The name of the method.
    ///   - width: The maximum number of calls that are handled at once. Default: `nil`, no limit of its own.
    ///   - timeLimit: How long the handler may take. Default: `nil`, until the request expires.
    ///   - handler: Gets the decoded parameters.
    public init<Params: Decodable & Sendable>(
        _ name: String, atOnce width: Int? = nil, within timeLimit: Duration? = nil,
        handler: @escaping @Sendable (Params) async throws -> Void
    ) {
        self.init(name: name, width, timeLimit) {
            try await handler($0.params())
            return JSONValue.null
        }
    }

    /// A method without parameters whose result is `null`.
    ///
    /// - Parameters:
    ///   - name: The name of the method.
    ///   - width: The maximum number of calls that are handled at once. Default: `nil`, no limit of its own.
    ///   - timeLimit: How long the handler may take. Default: `nil`, until the request expires.
    ///   - handler: Handles the call.
    public init(
        _ name: String, atOnce width: Int? = nil, within timeLimit: Duration? = nil,
        handler: @escaping @Sendable () async throws -> Void
    ) {
        self.init(name: name, width, timeLimit) { _ in
            try await handler()
            return JSONValue.null
        }
    }
}

/// Builds a list of methods from a block of code.
@resultBuilder
public enum MQTTMethodBuilder {
    /// A list of one method.
    public static func buildExpression(_ method: MQTTMethod) -> [MQTTMethod] { [method] }
    /// A list of methods.
    public static func buildExpression(_ methods: [MQTTMethod]) -> [MQTTMethod] { methods }
    /// All methods of the block.
    public static func buildBlock(_ parts: [MQTTMethod]...) -> [MQTTMethod] { parts.flatMap(\.self) }
    /// `if` without `else`.
    public static func buildOptional(_ part: [MQTTMethod]?) -> [MQTTMethod] { part ?? [] }
    /// `if`.
    public static func buildEither(first part: [MQTTMethod]) -> [MQTTMethod] { part }
    /// `else`.
    public static func buildEither(second part: [MQTTMethod]) -> [MQTTMethod] { part }
    /// `for`.
    public static func buildArray(_ parts: [[MQTTMethod]]) -> [MQTTMethod] { parts.flatMap(\.self) }
}
