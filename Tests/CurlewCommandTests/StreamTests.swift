#if Tools
import Curlew
import CurlewCore
import NIOCore
import Testing

@testable import CurlewCommand

@Suite("Messages and the packet trace")
struct StreamTests {
    @Test(
        "A message is written as mosquitto_sub writes it",
        arguments: [
            ("x", false, true, "x\n"), ("x", true, true, "t x\n"), ("x", false, false, "x"),
            ("x", true, false, "t x"),
            ("", false, true, ""), ("", true, true, "t (null)\n"), ("", false, false, ""), ("", true, false, ""),
        ] as [(String, Bool, Bool, String)])
    func format(payload: String, withTopic: Bool, withEnd: Bool, expected: String) throws {
        let message = MQTTMessage(topic: try TopicName("t"), payload: ByteBuffer(string: payload))
        var bytes: [UInt8] = []
        message.write(to: &bytes, withTopic: withTopic, withEnd: withEnd)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test("The packet trace shows no payloads and no passwords")
    func trace() throws {
        var lines: [String] = []
        var trace = PacketTrace { lines.append($0) }
        let connect = Connect(
            version: .v3_1_1, clientIdentifier: "me", username: "you", password: MQTTPassword("secret"))
        var bytes = ByteBuffer()
        try Packet.connect(connect).encode(into: &bytes, version: .v3_1_1)
        trace.sent(bytes)
        bytes.clear()
        try Packet.connack(ConnAck()).encode(into: &bytes, version: .v3_1_1)
        try Packet.publish(Publish(topic: TopicName("t"), payload: ByteBuffer(string: "secret")))
            .encode(into: &bytes, version: .v3_1_1)
        // In the smallest portions in which the network may deliver them.
        while let byte = bytes.readSlice(length: 1) { trace.received(byte) }
        trace.received(ByteBuffer(bytes: [0xFF, 0xFF]))
        #expect(
            lines.prefix(3) == [
                "Client me sending CONNECT (v3.1.1, c1, k60, u'you', with a password)",
                "Client me received CONNACK (0)",
                "Client me received PUBLISH (d0, q0, r0, m0, 't', ... (6 bytes))",
            ])
        #expect(lines.count == 4)
        #expect(lines.last?.hasPrefix("Client me received bytes that are not MQTT: ") == true)
    }
}
#endif
