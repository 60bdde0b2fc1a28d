package import NIOCore

/// One control packet, any of the fifteen (MQTT 5.0 section 2.1.2).
package enum Packet: Equatable, Sendable {
    indirect case connect(Connect)
    case connack(ConnAck)
    case publish(Publish)
    case puback(Acknowledgement)
    case pubrec(Acknowledgement)
    case pubrel(Acknowledgement)
    case pubcomp(Acknowledgement)
    case subscribe(Subscribe)
    case suback(SubAck)
    case unsubscribe(Unsubscribe)
    case unsuback(UnsubAck)
    case pingreq
    case pingresp
    case disconnect(Disconnect)
    case auth(Auth)
}

extension Packet {
    /// Which of the fifteen it is.
    package var type: PacketType {
        switch self {
        case .connect: .connect
        case .connack: .connack
        case .publish: .publish
        case .puback: .puback
        case .pubrec: .pubrec
        case .pubrel: .pubrel
        case .pubcomp: .pubcomp
        case .subscribe: .subscribe
        case .suback: .suback
        case .unsubscribe: .unsubscribe
        case .unsuback: .unsuback
        case .pingreq: .pingreq
        case .pingresp: .pingresp
        case .disconnect: .disconnect
        case .auth: .auth
        }
    }

    /// Appends the packet. When it throws, nothing was appended. A CONNECT is encoded in the version that it
    /// requests.
    package func encode(into buffer: inout ByteBuffer, version: ProtocolVersion) throws(EncodingError) {
        switch self {
        case .connect(let packet): try packet.encode(into: &buffer)
        case .connack(let packet): try packet.encode(into: &buffer, version: version)
        case .publish(let packet): try packet.encode(into: &buffer, version: version)
        case .puback(let packet): try packet.encode(as: .puback, into: &buffer, version: version)
        case .pubrec(let packet): try packet.encode(as: .pubrec, into: &buffer, version: version)
        case .pubrel(let packet): try packet.encode(as: .pubrel, into: &buffer, version: version)
        case .pubcomp(let packet): try packet.encode(as: .pubcomp, into: &buffer, version: version)
        case .subscribe(let packet): try packet.encode(into: &buffer, version: version)
        case .suback(let packet): try packet.encode(into: &buffer, version: version)
        case .unsubscribe(let packet): try packet.encode(into: &buffer, version: version)
        case .unsuback(let packet): try packet.encode(into: &buffer, version: version)
        case .pingreq: buffer.writePacket(PacketType.pingreq.firstByte, remaining: 0) { _ in }
        case .pingresp: buffer.writePacket(PacketType.pingresp.firstByte, remaining: 0) { _ in }
        case .disconnect(let packet): try packet.encode(into: &buffer, version: version)
        case .auth(let packet): try packet.encode(into: &buffer, version: version)
        }
    }

    /// The size of the whole packet in bytes, as a peer's Maximum Packet Size counts it.
    package func encodedSize(version: ProtocolVersion) throws(EncodingError) -> Int {
        switch self {
        case .connect(let packet): try packet.encodedSize()
        case .connack(let packet): try packet.encodedSize(version: version)
        case .publish(let packet): try packet.encodedSize(version: version)
        case .puback(let packet): try packet.encodedSize(as: .puback, version: version)
        case .pubrec(let packet): try packet.encodedSize(as: .pubrec, version: version)
        case .pubrel(let packet): try packet.encodedSize(as: .pubrel, version: version)
        case .pubcomp(let packet): try packet.encodedSize(as: .pubcomp, version: version)
        case .subscribe(let packet): try packet.encodedSize(version: version)
        case .suback(let packet): try packet.encodedSize(version: version)
        case .unsubscribe(let packet): try packet.encodedSize(version: version)
        case .unsuback(let packet): try packet.encodedSize(version: version)
        case .pingreq, .pingresp: 2
        case .disconnect(let packet): try packet.encodedSize(version: version)
        case .auth(let packet): try packet.encodedSize(version: version)
        }
    }
}
