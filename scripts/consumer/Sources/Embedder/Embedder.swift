import CurlewBroker

@main
enum Embedder {
    static func main() async throws {
        let broker = MQTTBroker(MQTTBrokerConfiguration(listeners: [.tcp(port: 0)]))
        try await broker.start()
        let receivers = try await broker.publish("hello", to: "greeting")
        await broker.stop()
        print("A program that embeds the broker, and needs nothing of its accounts: \(receivers) have heard it.")
    }
}
