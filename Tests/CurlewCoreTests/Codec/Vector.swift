package import CurlewCore
import NIOCore
import Testing

/// One entry of the table that the decoder, encoder and fuzzing tests use: bytes and their meaning.
struct Vector: Sendable, CustomTestStringConvertible {
    /// The meaning of bytes.
    enum Meaning: Sendable, Equatable {
        /// A packet that is encoded to the same bytes.
        case packet(Packet)
        /// A packet that is encoded to different bytes: shorter ones, or the same properties in another form.
        case lenient(Packet)
        /// An error instead of a packet.
        case error(DecodingError)
    }

    /// A number is one byte; a text is its UTF-8 bytes without a length.
    enum Field: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
        case byte(UInt8)
        case text(String)

        init(integerLiteral value: UInt8) { self = .byte(value) }
        init(stringLiteral value: String) { self = .text(value) }
    }

    var name: String
    var versions: [ProtocolVersion]
    var senders: [PacketSender]
    var bytes: [UInt8]
    var meaning: Meaning

    init(
        _ name: String, _ versions: [ProtocolVersion] = .five, from senders: [PacketSender], _ fields: [Field],
        _ meaning: Meaning
    ) {
        self.name = name
        self.versions = versions
        self.senders = senders
        self.bytes = fields.flatMap { field -> [UInt8] in
            switch field {
            case .byte(let byte): [byte]
            case .text(let text): Array(text.utf8)
            }
        }
        self.meaning = meaning
    }

    var testDescription: String { self.name }

    /// Each version together with each sender.
    var cases: [(version: ProtocolVersion, sender: PacketSender)] {
        self.versions.flatMap { version in self.senders.map { (version, $0) } }
    }

    var packet: Packet? {
        switch self.meaning {
        case .packet(let packet), .lenient(let packet): packet
        case .error: nil
        }
    }
}

extension [ProtocolVersion] {
    static let five: Self = [.v5_0]
    static let before5: Self = [.v3_1, .v3_1_1]
    static let all: Self = [.v3_1, .v3_1_1, .v5_0]
}

extension [PacketSender] {
    static let client: Self = [.client]
    static let server: Self = [.server]
    static let both: Self = [.client, .server]
}

extension Vector {
    /// All vectors.
    static let table: [Vector] =
        Self.framing + Self.connect + Self.connack + Self.publish + Self.acknowledgements + Self.subscribe
        + Self.unsubscribe
        + Self.endings + Self.properties

    static let valid = Self.table.filter { $0.packet != nil }
    static let invalid = Self.table.filter { $0.packet == nil }
}

// MARK: - Shorthands for the table

func id(_ number: UInt16) -> PacketID {
    guard let packetID = PacketID(number) else { preconditionFailure("0 is no packet identifier") }
    return packetID
}

extension TopicName: ExpressibleByStringLiteral {
    package init(stringLiteral value: String) { self.init(unchecked: value) }
}

func topicFilter(_ text: String) -> TopicFilter {
    do { return try TopicFilter(text) } catch { preconditionFailure("\(error)") }
}

extension ByteBuffer {
    static func text(_ text: String) -> Self { Self(string: text) }
}

extension Subscribe.Subscription {
    init(_ text: String, _ options: SubscriptionOptions = SubscriptionOptions()) {
        self.init(topicFilter(text), options)
    }
}
