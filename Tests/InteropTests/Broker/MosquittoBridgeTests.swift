import Curlew
import Foundation
import MosquittoFixture
import Testing

#if Tools
/// A mosquitto bridge to `curlew broker`, with default settings except for the reconnect delay.
@Suite(
    "A mosquitto bridge to Curlew's broker",
    .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct MosquittoBridgeTests {
    /// Runs a test once the bridge is connected.
    private func withBridge(
        _ lines: [String] = [], curlew: Mosquitto.Settings = .init(listeners: [.tcp]),
        _ body: (_ here: Mosquitto, _ there: Mosquitto) async throws -> Void
    ) async throws {
        try await Mosquitto.run(curlew, on: .curlew) { curlew in
            let bridge =
                [
                    "connection home", "address 127.0.0.1:\(try curlew.port())", "topic # both 2",
                    "restart_timeout 1",
                ] + lines
            try await Mosquitto.run(.init(listeners: [.tcp], lines: bridge), on: .mosquitto) { mosquitto in
                try await curlew.log(says: "subscribed client=")
                try await body(curlew, mosquitto)
            }
        }
    }

    @Test(
        "Messages cross the bridge in both directions, each once, with every protocol version",
        arguments: ["mqttv31", "mqttv311", "mqttv50"])
    func bothWays(version: String) async throws {
        try await self.withBridge(["bridge_protocol_version \(version)"]) { curlew, mosquitto in
            let setup = Setup(listener: .tcp, version: .v5_0)
            let (here, there) = (try await curlew.connect(setup), try await mosquitto.connect(setup))
            let (atHere, atThere) = (
                Inbox(try await here.subscribe(to: "t/#")), Inbox(try await there.subscribe(to: "t/#"))
            )
            for round in 0..<3 {
                for qos in QoS.allCases {
                    let text = "\(round) \(qos.rawValue)"
                    try await here.publish(text, to: "t/here", qos: qos)
                    #expect(try await atThere.next().text == text)
                    #expect(try await atHere.next().text == text)
                    try await there.publish(text, to: "t/there", qos: qos)
                    #expect(try await atHere.next().text == text)
                    #expect(try await atThere.next().text == text)
                }
            }
            // Nothing went in circles: the next message is the last one published.
            try await here.publish("end", to: "t/end", qos: .exactlyOnce)
            #expect(try await atHere.next().text == "end")
            #expect(try await atThere.next().text == "end")
        }
    }

    @Test("The bridge publishes its state below $SYS")
    func state() async throws {
        try await self.withBridge { curlew, mosquitto in
            let client = try await curlew.connect(Setup(listener: .tcp, version: .v5_0))
            let states = Inbox(try await client.subscribe(to: "$SYS/broker/connection/+/state"))
            #expect(try await states.next().text == "1")
            try await mosquitto.stop()
            #expect(try await states.next().text == "0")
        }
    }

    @Test("A bridge that may not publish below $SYS is accepted without its will")
    func withoutWill() async throws {
        let curlew = Mosquitto.Settings(
            listeners: [.tcp], lines: ["acl_file {folder}/acl"], files: ["acl": "topic readwrite t/#\n"])
        try await self.withBridge(curlew: curlew) { curlew, mosquitto in
            let setup = Setup(listener: .tcp, version: .v5_0)
            let (here, there) = (try await curlew.connect(setup), try await mosquitto.connect(setup))
            let inbox = Inbox(try await here.subscribe(to: "t/#"))
            try await there.publish("over", to: "t/x", qos: .atLeastOnce)
            #expect(try await inbox.next().text == "over")
        }
    }
}
#endif
