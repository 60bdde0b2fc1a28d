import CurlewCore
import NIOCore

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// Prints each event, to investigate a single input: set `CURLEW_FUZZ_TRACE`.
enum Trace {
    private static let isOn = getenv("CURLEW_FUZZ_TRACE") != nil

    static func line(_ text: @autoclosure () -> String) {
        guard self.isOn else { return }
        var line = text() + "\n"
        // Written at once, since the program may crash in the next moment.
        line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

extension Packet {
    /// A short description of the packet.
    var summary: String {
        switch self {
        case .connect(let packet):
            "CONNECT \(packet.version)\(packet.cleanStart ? " clean" : "") \(packet.properties.list)"
                + (packet.will.map { " will \(String(buffer: $0.payload)) to \($0.topic.string) \($0.properties.list)" }
                    ?? "")
        case .connack(let packet): "CONNACK \(packet.reasonCode)\(packet.sessionPresent ? " session present" : "")"
        case .publish(let packet):
            "PUBLISH \(String(buffer: packet.payload)) to \(packet.topic?.string ?? "its alias") at QoS \(packet.qos.rawValue)"
                + (packet.packetID.map { " as \($0)" } ?? "") + (packet.dup ? " again" : "")
                + (packet.retain ? " retained" : "")
        case .puback(let packet): "PUBACK \(packet.packetID) \(packet.reasonCode)"
        case .pubrec(let packet): "PUBREC \(packet.packetID) \(packet.reasonCode)"
        case .pubrel(let packet): "PUBREL \(packet.packetID) \(packet.reasonCode)"
        case .pubcomp(let packet): "PUBCOMP \(packet.packetID) \(packet.reasonCode)"
        case .subscribe(let packet):
            "SUBSCRIBE \(packet.packetID) \(packet.subscriptions.map { "\($0.filter.string) \($0.options)" })"
        case .suback(let packet): "SUBACK \(packet.packetID) \(packet.reasonCodes)"
        case .unsubscribe(let packet): "UNSUBSCRIBE \(packet.packetID) \(packet.filters.map(\.string))"
        case .unsuback(let packet): "UNSUBACK \(packet.packetID) \(packet.reasonCodes)"
        case .disconnect(let packet): "DISCONNECT \(packet.reasonCode)"
        default: "\(self.type)"
        }
    }
}
