package import CurlewCore
import NIOCore
import Testing

/// One line of the table that drives decoder, encoder and fuzz corpus: bytes, and what they mean.
struct Vector: Sendable, CustomTestStringConvertible {
    /// What bytes mean.
    enum Meaning: Sendable, Equatable {
        /// A packet, which is encoded to the same bytes.
        case packet(Packet)
        /// A packet, which is encoded to other bytes: shorter ones, or the same properties said otherwise.
        case lenient(Packet)
        /// No packet.
        case error(DecodingError)
    }

    /// Numbers are bytes; a text is its UTF-8, without a length.
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

    /// Every version and sender that it is about.
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
    /// All of them.
    static let table: [Vector] =
        Self.framing + Self.connect + Self.connack + Self.publish + Self.acknowledgements + Self.subscribe
        + Self.unsubscribe
        + Self.endings + Self.properties

    static let valid = Self.table.filter { $0.packet != nil }
    static let invalid = Self.table.filter { $0.packet == nil }
}

// MARK: - Short ways to say things in the table

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
