#if Tools
import ArgumentParser
import Curlew
import CurlewCore
import NIOCore

/// An MQTT 5 property for one packet type: `-D publish content-type text/plain`.
struct PropertyArgument: ExpressibleByArgument, Equatable {
    /// The packet type, the name of the property, and its value; for a user property, its name and value.
    let words: [String]

    init?(argument: String) {
        self.words = argument.unicodeScalars.split(
            separator: GivenOption.separator, omittingEmptySubsequences: false
        ).map { String($0) }
    }
}

/// All given properties, by packet type.
struct PacketProperties: Equatable {
    enum Packet: String, CaseIterable {
        case connect, publish, subscribe, unsubscribe, disconnect, will
    }

    private var properties: [Packet: Properties] = [:]

    var isEmpty: Bool { self.properties.isEmpty }

    subscript(packet: Packet) -> Properties { self.properties[packet] ?? Properties() }

    init(_ arguments: [PropertyArgument]) throws {
        for argument in arguments {
            let (packet, property) = try Self.read(argument.words)
            self.properties[packet, default: Properties()].list.append(property)
            // Only user properties may occur more than once.
            let list = self[packet].list
            if case .userProperty = property { continue }
            if list.count(where: { $0.identifier == property.identifier }) > 1 {
                throw CommandFailure("-D \(packet.rawValue) \(argument.words[1]) is given twice; give it once.")
            }
        }
    }

    private static func read(_ words: [String]) throws -> (Packet, Property) {
        guard let packet = Packet(rawValue: words[0].lowercased()) else {
            throw CommandFailure(
                "-D \(words[0]) is not a packet type with properties; use one of "
                    + Packet.allCases.map(\.rawValue).joined(separator: ", ") + ".")
        }
        guard words.count > 1 else {
            throw CommandFailure(
                "-D \(packet.rawValue) needs a property and a value, as in -D publish content-type text.")
        }
        let name = words[1]
        let option = "-D \(packet.rawValue) \(name)"
        guard let kind = PropertyKind.named(name) else {
            throw CommandFailure(
                "\(option) is not an MQTT property; \(packet.rawValue) can have "
                    + PropertyKind.names(for: packet).joined(separator: ", ") + ".")
        }
        if packet == .publish, name == "topic-alias" {
            throw CommandFailure("\(option) is not needed: curlew assigns topic aliases itself; leave it out.")
        }
        guard kind.packets.contains(packet) else {
            throw CommandFailure(
                "\(option) is not permitted; \(packet.rawValue) can have "
                    + PropertyKind.names(for: packet).joined(separator: ", ") + ".")
        }
        let values = Array(words.dropFirst(2))
        let count = name == "user-property" ? 2 : 1
        guard values.count == count else {
            throw CommandFailure("\(option) needs \(count == 2 ? "a name and a value" : "a value") after it.")
        }
        guard let property = kind.make(values) else {
            throw CommandFailure("\(option) cannot be '\(values.joined(separator: " "))'; it must be \(kind.expected).")
        }
        return (packet, property)
    }
}

/// A property that `-D` can set.
private struct PropertyKind: Sendable {
    typealias Packet = PacketProperties.Packet

    let name: String
    let packets: Set<Packet>
    /// The permitted values, to follow "it must be".
    let expected: String
    let make: @Sendable ([String]) -> Property?

    static func named(_ name: String) -> PropertyKind? { self.all.first { $0.name == name } }

    static func names(for packet: Packet) -> [String] {
        self.all.filter { $0.packets.contains(packet) }.map(\.name)
    }

    private static let all: [PropertyKind] =
        [
            text("content-type", [.publish, .will], Property.contentType),
            text("response-topic", [.publish, .will], Property.responseTopic),
            bytes("correlation-data", [.publish, .will], Property.correlationData),
            text("authentication-method", [.connect], Property.authenticationMethod),
            bytes("authentication-data", [.connect], Property.authenticationData),
            number("payload-format-indicator", [.publish, .will], 0...1) { .payloadFormatIndicator(UInt8($0)) },
            number("message-expiry-interval", [.publish, .will], 0...UInt32.max, Property.messageExpiryInterval),
            number("will-delay-interval", [.will], 0...UInt32.max, Property.willDelayInterval),
            number(
                "session-expiry-interval", [.connect, .disconnect], 0...UInt32.max, Property.sessionExpiryInterval),
            number("receive-maximum", [.connect], 1...65_535) { .receiveMaximum(UInt16($0)) },
            number("maximum-packet-size", [.connect], 1...UInt32.max, Property.maximumPacketSize),
            number("topic-alias-maximum", [.connect], 0...65_535) { .topicAliasMaximum(UInt16($0)) },
            number("request-problem-information", [.connect], 0...1) { .requestProblemInformation($0 == 1) },
            number("request-response-information", [.connect], 0...1) { .requestResponseInformation($0 == 1) },
            number("subscription-identifier", [.subscribe], 1...268_435_455, Property.subscriptionIdentifier),
            number("topic-alias", [], 1...65_535) { .topicAlias(UInt16($0)) },
            PropertyKind(
                name: "user-property", packets: Set(Packet.allCases), expected: "a name and a value in UTF-8"
            ) { values in
                guard let name = values[0].keptText, let value = values[1].keptText else { return nil }
                return .userProperty(UserProperty(name, value))
            },
        ]

    private static func text(
        _ name: String, _ packets: Set<Packet>, _ make: @escaping @Sendable (String) -> Property
    ) -> PropertyKind {
        PropertyKind(name: name, packets: packets, expected: "UTF-8 text") { $0[0].keptText.map(make) }
    }

    private static func bytes(
        _ name: String, _ packets: Set<Packet>, _ make: @escaping @Sendable (ByteBuffer) -> Property
    ) -> PropertyKind {
        PropertyKind(name: name, packets: packets, expected: "any bytes") {
            make(ByteBuffer(bytes: $0[0].keptBytes))
        }
    }

    private static func number(
        _ name: String, _ packets: Set<Packet>, _ range: ClosedRange<UInt32>,
        _ make: @escaping @Sendable (UInt32) -> Property
    ) -> PropertyKind {
        let expected = "a number from \(range.lowerBound) to \(range.upperBound)"
        return PropertyKind(name: name, packets: packets, expected: expected) { values in
            UInt32(values[0]).flatMap { range.contains($0) ? make($0) : nil }
        }
    }
}
#endif
