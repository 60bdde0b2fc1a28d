import Curlew

// What programs do with the messages of the sensors in a house.

// README: listen
/// Shows messages by topic, until its task is cancelled.
func listen(_ client: MQTTClient, show: (String) async throws -> Void) async throws {
    for try await message in try await client.subscribe(to: ["humidity/#", "temperature/#"]) {
        if message.topic.matches("humidity/inside") { try await show("A: \(message.text)") }
        if message.topic.matches("+/outside") { try await show("B: \(message.text)") }
        if message.topic.matches("temperature/#") { try await show("C: \(message.text)") }
    }
}
// README end

// README: queues
typealias Queue = MQTTConfiguration.SubscriptionQueue

let oldestFirst = Queue(count: 100, overflow: .dropNewest)
let newestFirst = Queue(order: .lifo, count: 100, overflow: .dropNewest)
let humidityFirst = Queue(
    order: .lowestFirst { $0.topic.matches("humidity/#") ? 0 : 1 }, count: 100, overflow: .dropNewest)

func subscribe(_ client: MQTTClient, _ queue: Queue) async throws -> MQTTSubscription {
    try await client.subscribe(to: "+/inside", queue: queue)
}
// README end

// README: tasks
/// Handles up to 16 messages at once, each in its own task.
func concurrently(_ client: MQTTClient, show: @escaping @Sendable (String) async throws -> Void) async throws {
    try await client.route {
        On("temperature/{room}", atOnce: 16) { message in try await show(message.text) }
    }
}

/// Handles both families at the same time, and each of them in order.
func families(_ client: MQTTClient, show: @escaping @Sendable (String) async throws -> Void) async throws {
    try await client.route {
        On("humidity/#") { message in try await show("humidity \(message.text)") }
        On("temperature/#") { message in try await show("temperature \(message.text)") }
    }
}
// README end

// README: share-connection
/// Switches lamps on at the same time, over one connection.
func switchOn(_ lamps: [String], _ client: MQTTClient) async throws {
    try await withThrowingDiscardingTaskGroup { group in
        for lamp in lamps {
            group.addTask { try await client.publish("on", to: "lamps/\(lamp)", qos: .atLeastOnce) }
        }
    }
}
// README end

// README: beside
func listen(
    _ client: MQTTClient, nextTo work: () async throws -> Void,
    show: @escaping @Sendable (String) async throws -> Void
) async throws {
    async let listening: Void = listen(client, show: show)
    try await work()
    try await listening  // or return, which stops listening
}

func startListening(
    _ client: MQTTClient, show: @escaping @Sendable (String) async throws -> Void
) -> Task<Void, any Error> {
    Task { try await listen(client, show: show) }  // to stop: cancel it
}

func listen(_ client: MQTTClient, for time: Duration, show: (String) async throws -> Void) async throws {
    for try await message in try await client.subscribe(to: "+/inside").within(time) { try await show(message.text) }
}
// README end

// README: persistent-session
/// A client whose session the broker keeps for ten minutes.
func makeOrderClient(_ url: String) throws -> MQTTClient {
    try MQTTClient(url) { configuration in
        configuration.clientIdentifier = .given("orders-1")
        configuration.session.cleanStart = false
        configuration.session.expiry = .after(.seconds(600))
    }
}

/// Handles orders, also those that arrived between two runs of the program, until the client is disconnected.
func handleOrders(_ client: MQTTClient, handle: (String) async throws -> Void) async throws {
    try await client.connect()
    for try await order in try await client.subscribe(to: "orders/#") { try await handle(order.text) }
}
// README end
