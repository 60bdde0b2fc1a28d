import NIOWebSocket

/// The rules for frames that a peer sends (RFC 6455 section 5), for a WebSocket that carries a stream of bytes.
///
/// MQTT ignores where messages and frames begin and end [MQTT-6.0.0-2], so fragments need not be assembled. Lives as
/// long as the WebSocket.
struct WebSocketReading: Sendable {
    /// Which end of the connection this is.
    enum Role: Sendable {
        case client
        case server
    }

    /// What a frame says in its header.
    struct Frame: Sendable {
        var opcode: WebSocketOpcode
        var isFinal = true
        var isMasked: Bool
        /// Whether one of the bits is set that only extensions use.
        var hasReservedBits = false
    }

    private let role: Role
    private var isInMessage = false
    private var isClosed = false

    init(_ role: Role) { self.role = role }

    /// What to do with a frame.
    enum Received: Equatable, Sendable {
        /// Its data continues the stream.
        case data
        /// Answer it with its data.
        case ping
        /// The peer closes the WebSocket.
        case close
        /// Nothing.
        case ignore
        /// The frame breaks the rules: close the WebSocket, for this reason.
        case violation(Violation)
    }

    /// How a frame breaks the rules.
    enum Violation: Equatable, Sendable {
        /// A client must mask its frames, and a server must not.
        case masking
        /// A reserved bit or opcode, although no extension was agreed on.
        case reserved
        /// A continuation without a beginning, or a beginning within another message.
        case fragments
        /// Text; MQTT uses binary frames only [MQTT-6.0.0-1].
        case text
    }

    mutating func received(_ frame: Frame) -> Received {
        guard !self.isClosed else { return .ignore }
        if let violation = self.violation(frame) {
            self.isClosed = true
            return .violation(violation)
        }
        switch frame.opcode {
        case .ping: return .ping
        case .pong: return .ignore
        case .connectionClose:
            self.isClosed = true
            return .close
        default:
            self.isInMessage = !frame.isFinal
            return .data
        }
    }

    private func violation(_ frame: Frame) -> Violation? {
        guard !frame.hasReservedBits else { return .reserved }
        guard frame.isMasked == (self.role == .server) else { return .masking }
        switch frame.opcode {
        case .binary: return self.isInMessage ? .fragments : nil
        case .continuation: return self.isInMessage ? nil : .fragments
        case .text: return .text
        case .ping, .pong, .connectionClose: return nil
        default: return .reserved
        }
    }
}

extension WebSocketReading.Violation {
    /// The code to close with (RFC 6455 section 7.4.1).
    var closeCode: WebSocketErrorCode { self == .text ? .unacceptableData : .protocolError }

    /// What is wrong, as part of a sentence after the peer's name.
    var description: String {
        switch self {
        case .masking: "sent a WebSocket frame whose masking is wrong for its role"
        case .reserved: "sent a WebSocket frame with a reserved bit or opcode"
        case .fragments: "sent WebSocket fragments in a wrong order"
        case .text: "sent a WebSocket text frame, and MQTT uses only binary frames"
        }
    }
}
