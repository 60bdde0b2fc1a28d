/// The error that a device answered to a call, or that a handler of ``MQTTClient/serve(_:_:concurrency:onSubscribed:_:)`` throws to
/// answer it.
public struct MQTTDeviceError: Error, Sendable, Hashable {
    /// The error code, a number in most dialects; `nil` if the device sent none.
    public var code: JSONValue?
    /// The error message; empty if the device sent none.
    public var message: String

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - code: The error code. Default: `nil`; then a server answers with the code for failures.
    ///   - message: The error message, which the caller sees.
    public init(_ code: JSONValue? = nil, _ message: String) {
        self.code = code
        self.message = message
    }
}

extension MQTTDeviceError: CustomStringConvertible {
    /// The message, then the code.
    public var description: String {
        let code: String? =
            switch self.code {
            case .integer(let number)?: "code \(number)"
            case .string(let text)?: "code \(text)"
            case .number(let number)?: "code \(number)"
            default: nil
            }
        switch (self.message.isEmpty, code) {
        case (true, let code?): return code
        case (true, nil): return "no reason given"
        case (false, let code?): return "\(self.message) (\(code))"
        case (false, nil): return self.message
        }
    }
}
