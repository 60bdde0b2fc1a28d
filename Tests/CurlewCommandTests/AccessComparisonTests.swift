#if Tools
import Curlew
import CurlewBroker
import MosquittoFixture
import Testing

/// Compares the decisions of an access file with mosquitto's decisions for the same file.
@Suite(
    "Access files and mosquitto",
    .enabled(if: Peers.haveMosquitto, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct AccessComparisonTests {
    private static let rules = """
        topic open/#
        topic deny open/closed
        topic write $own/#
        user u
        topic readwrite a/#
        topic deny a/b
        topic read r
        topic write over/deny
        topic deny under/deny
        user with space
        topic write two  words
        user u
        topic write later
        pattern deny over/deny
        pattern write under/deny
        pattern write d/%c/x
        pattern write e/%u
        pattern write pre%cpost/%%u
        pattern deny no/%u
        pattern write no/#
        pattern write %c/#
        """

    private static let clients: [(user: String?, identifier: String)] = [
        (nil, "c"), ("u", "c"), ("v", "d"), ("with space", "c"), ("#", "c"),
    ]

    private static let topics = [
        "open", "open/x", "open/closed", "$own/x", "a", "a/b", "a/c", "r", "over/deny", "under/deny", "two  words",
        "later", "d/c/x", "d/d/x", "d/z/x", "e/u", "e/", "precpost/%u", "no/u", "no/v", "c/x", "d/x", "none",
    ]

    @Test("A client may publish to the same topics as with mosquitto", arguments: Self.clients.indices)
    func publishing(client: Int) async throws {
        let (user, identifier) = Self.clients[client]
        let access = try MQTTAccessFile(text: Self.rules)
        let settings = Mosquitto.Settings(
            listeners: [.tcp], lines: ["acl_file {folder}/acl"], files: ["acl": Self.rules + "\n"])
        try await Mosquitto.run(settings) { broker in
            var configuration = MQTTConfiguration(server: .mqtt("127.0.0.1", port: try broker.port()))
            configuration.clientIdentifier = .given(identifier)
            if let user { configuration.credentials = .password(username: user, password: "x") }
            let client = try MQTTClient(configuration)
            broker.atEnd { await client.disconnect(drain: .zero) }
            try await client.connect()
            for topic in Self.topics {
                var isAllowed = true
                do {
                    try await client.publish("x", to: topic, qos: .atLeastOnce)
                } catch let error as MQTTError where error.code == .publishRefused {
                    isAllowed = false
                }
                let decision = access.authorize(
                    MQTTBrokerClient(identifier: identifier, username: user), .publish(try TopicName(topic)))
                #expect(decision == (isAllowed ? .allow : .deny), "\(user ?? "nobody") as \(identifier): \(topic)")
            }
        }
    }
}
#endif
