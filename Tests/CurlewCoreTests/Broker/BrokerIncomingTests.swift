import CurlewCore
import Testing

@Suite("Incoming QoS state of a broker's session")
struct BrokerIncomingTests {
    private let id = PacketID(7)

    @Test(
        "A QoS 2 message is delivered once until PUBREL, across connections [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]"
    )
    func exactlyOnce() throws {
        let id = try #require(self.id)
        var incoming = BrokerIncoming()
        incoming.connected(receiveMaximum: 10)
        #expect(incoming.receivedPublish(id, qos: .exactlyOnce) == .new)
        #expect(incoming.receivedPublish(id, qos: .exactlyOnce) == .duplicate)
        incoming.connected(receiveMaximum: 10)
        #expect(incoming.receivedPublish(id, qos: .exactlyOnce) == .duplicate)
        #expect(incoming.receivedPubrel(id) == .success)
        #expect(incoming.receivedPubrel(id) == .packetIdentifierNotFound)
        #expect(incoming.receivedPublish(id, qos: .exactlyOnce) == .new)
    }

    @Test("The packet identifier of a refused QoS 2 message is free again [MQTT-4.3.3-9]")
    func refused() throws {
        let id = try #require(self.id)
        var incoming = BrokerIncoming()
        incoming.connected(receiveMaximum: 1)
        #expect(incoming.receivedPublish(id, qos: .exactlyOnce) == .new)
        incoming.refused(id)
        #expect(incoming.receivedPublish(id, qos: .exactlyOnce) == .new)
    }

    @Test("A client may have no more messages in flight than the Receive Maximum [MQTT-3.3.4-7]")
    func receiveMaximum() throws {
        var incoming = BrokerIncoming()
        incoming.connected(receiveMaximum: 2)
        let ids = try (1...3).map { try #require(PacketID($0)) }
        #expect(incoming.receivedPublish(ids[0], qos: .exactlyOnce) == .new)
        #expect(incoming.receivedPublish(ids[1], qos: .atLeastOnce) == .new)
        #expect(incoming.receivedPublish(ids[2], qos: .exactlyOnce) == .receiveMaximumExceeded)
        incoming.acknowledged()
        #expect(incoming.receivedPublish(ids[2], qos: .exactlyOnce) == .new)
        #expect(incoming.receivedPublish(ids[1], qos: .atLeastOnce) == .receiveMaximumExceeded)
        _ = incoming.receivedPubrel(ids[0])
        #expect(incoming.receivedPublish(ids[1], qos: .atLeastOnce) == .new)
    }
}
