import Curlew
import MosquittoFixture
import Testing

@Suite("An app for a home", .bounded)
struct HomeTests {
    @Test(
        "The examples run with both mosquitto and Curlew's broker",
        .enabled(
            if: Peers.haveMosquitto,
            "mosquitto is not installed; the examples run only with Curlew's broker; scripts/test installs it"))
    func both() { #expect(ExampleBroker.available == ExampleBroker.allCases) }

    @Test("It shows temperatures until its task is cancelled", arguments: ExampleBroker.available)
    func temperatures(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let shown = Record()
            let url = broker.url
            let showing = Task { try await showTemperatures(url) { shown.add($0) } }
            try await shown.wait(for: "home/kitchen/temperature 21.5")
            showing.cancel()
            try await showing.value
        }
    }

    @Test("It shows states, publishes commands and knows whether it is connected", arguments: ExampleBroker.available)
    func home(_ broker: ExampleBroker) async throws {
        try await broker.run { broker in
            let lamp = try await broker.connectedClient()
            let commands = try await lamp.subscribe(to: "home/lamp/set")
            let home = try await Home(broker.url)
            let running = Task { try await home.run() }
            try await lamp.waitForSubscriber(of: "home/lamp/state", "off")
            try await eventually("a state") { await home.states == ["home/lamp/state": "off"] }
            try await eventually("a connection") { await home.isConnected }
            try await home.setLamp("on")
            #expect(try await commands.next(within: .seconds(60))?.text == "on")
            running.cancel()
            try await running.value
            #expect(await !home.isConnected)
            await #expect(throws: MQTTError.self) { try await home.setLamp("off") }
        }
    }
}
