#if Tools
import CurlewCore
import NIOCore

extension Packet {
    /// The packet on one line, in the format of mosquitto's commands, without payloads and passwords.
    var summary: String {
        switch self {
        case .connect(let packet): packet.summary
        case .connack(let packet):
            "CONNACK (\(packet.reasonCode.rawValue)\(packet.sessionPresent ? ", session present" : ""))"
                + packet.properties.reason
        case .publish(let packet): packet.summary
        case .puback(let packet): "PUBACK \(packet.summary)"
        case .pubrec(let packet): "PUBREC \(packet.summary)"
        case .pubrel(let packet): "PUBREL \(packet.summary)"
        case .pubcomp(let packet): "PUBCOMP \(packet.summary)"
        case .subscribe(let packet):
            "SUBSCRIBE (Mid: \(packet.packetID.rawValue)"
                + packet.subscriptions.map { ", Topic: \($0.filter), QoS: \($0.options.qos.rawValue)" }.joined()
                + ")"
        case .suback(let packet):
            "SUBACK (Mid: \(packet.packetID.rawValue)): \(packet.reasonCodes.list)\(packet.properties.reason)"
        case .unsubscribe(let packet):
            "UNSUBSCRIBE (Mid: \(packet.packetID.rawValue)" + packet.filters.map { ", Topic: \($0)" }.joined() + ")"
        case .unsuback(let packet):
            "UNSUBACK (Mid: \(packet.packetID.rawValue)): \(packet.reasonCodes.list)\(packet.properties.reason)"
        case .pingreq: "PINGREQ"
        case .pingresp: "PINGRESP"
        case .disconnect(let packet): "DISCONNECT (\(packet.reasonCode.rawValue))\(packet.properties.reason)"
        case .auth(let packet): "AUTH (\(packet.reasonCode.rawValue))\(packet.properties.reason)"
        }
    }
}

extension Connect {
    fileprivate var summary: String {
        var text = "CONNECT (v\(self.version), c\(self.cleanStart ? 1 : 0), k\(self.keepAlive)"
        if let username { text += ", u'\(username)'" }
        if self.password != nil { text += ", with a password" }
        if let will { text += ", will to '\(will.topic)'" }
        return text + ")"
    }
}

extension Publish {
    fileprivate var summary: String {
        let topic = self.topic.map { "'\($0)'" } ?? "alias \(self.topicAlias ?? 0)"
        return "PUBLISH (d\(self.dup ? 1 : 0), q\(self.qos.rawValue), r\(self.retain ? 1 : 0), "
            + "m\(self.packetID?.rawValue ?? 0), \(topic), ... (\(self.payload.readableBytes) bytes))"
    }
}

extension Acknowledgement {
    fileprivate var summary: String {
        "(Mid: \(self.packetID.rawValue), RC: \(self.reasonCode.rawValue))\(self.properties.reason)"
    }
}

extension [ReasonCode] {
    fileprivate var list: String { self.map { "\($0.rawValue)" }.joined(separator: ", ") }
}

extension Properties {
    /// The broker's reason string, to be appended.
    fileprivate var reason: String { self.reasonString.map { ": \($0)" } ?? "" }
}
#endif
