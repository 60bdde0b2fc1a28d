import Curlew

/// What programs do with the messages of the sensors in a house.
struct Listener: Sendable {
    let client: MQTTClient
    let show: @Sendable (String) async throws -> Void

    // README: listen
    func listen() async throws {
        for try await message in try await client.subscribe(to: ["humidity/#", "temperature/#"]) {
            if message.topic.matches("humidity/inside") { try await show("A: \(message.text)") }
            if message.topic.matches("+/outside") { try await show("B: \(message.text)") }
            if message.topic.matches("temperature/#") { try await show("C: \(message.text)") }
        }
    }
    // README end

    // README: queues
    typealias Queue = MQTTConfiguration.SubscriptionQueue
    static let oldestFirst = Queue(count: 100, overflow: .dropNewest)
    static let newestFirst = Queue(order: .lifo, count: 100)
    static let humidityFirst = Queue(order: .lowestFirst { $0.topic.matches("humidity/#") ? 0 : 1 }, count: 100)

    func subscribe(_ queue: Queue) async throws -> MQTTSubscription {
        try await client.subscribe(to: "+/inside", queue: queue)
    }
    // README end

    // README: tasks
    /// Handles up to 16 messages at once, each in its own task.
    func concurrently() async throws {
        try await client.route {
            On("temperature/{room}", atOnce: 16) { message, _ in try await show(message.text) }
        }
    }

    /// Handles both families at the same time, and each of them in order.
    func families() async throws {
        try await client.route {
            On("humidity/#") { message, _ in try await show("humidity \(message.text)") }
            On("temperature/#") { message, _ in try await show("temperature \(message.text)") }
        }
    }
    // README end

    // README: beside
    func listenBeside(_ work: () async throws -> Void) async throws {
        async let listening: Void = listen()
        try await work()
        try await listening  // or return, which stops listening
    }

    func startListening() -> Task<Void, any Error> {
        Task { try await listen() }  // to stop: cancel it
    }

    func listen(for time: Duration) async throws {
        for try await message in try await client.subscribe(to: "+/inside").within(time) {
            try await show(message.text)
        }
    }
    // README end
}
