public import NIOCore

/// A password or token, of text or of bytes (MQTT 5.0 section 3.1.3.6). Descriptions, dumps and logs never show it.
public struct MQTTPassword: Sendable, Hashable, ExpressibleByStringLiteral {
    private let secret: Redacted<ByteBuffer>

    /// A password of text, which is sent as UTF-8.
    public init(_ text: String) { self.init(bytes: ByteBuffer(string: text)) }

    /// A password of text that may be missing, as in `MQTTPassword(options["password"])`; `nil` for `nil`.
    public init?(_ text: String?) {
        guard let text else { return nil }
        self.init(text)
    }

    /// A password of any bytes.
    public init(bytes: ByteBuffer) { self.secret = Redacted(bytes) }

    /// A password written in the program, as in an example or a test.
    public init(stringLiteral text: String) { self.init(text) }

    /// The secret itself, as CONNECT carries it. Never log it.
    public var bytes: ByteBuffer { self.secret.value }
}

extension MQTTPassword: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// `<redacted>`, regardless of the password.
    public var description: String { self.secret.description }
    /// `<redacted>`, regardless of the password.
    public var debugDescription: String { self.secret.debugDescription }
    /// Has no children, so that `dump` shows nothing.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
