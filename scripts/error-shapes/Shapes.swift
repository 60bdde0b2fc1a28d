// The shapes in which users handle the client's errors. With typed throws on asynchronous functions several of them
// crash Swift 6.3; so the public functions use plain `throws`. scripts/check-error-shapes compiles this file without
// and with optimization; when typed throws are tried again, it shows whether the compiler compiles them.
import Curlew

func forWhere(_ client: MQTTClient, _ texts: [String]) async throws {
    for text in texts {
        do { try await client.publish(text, to: "t") } catch let error as MQTTError where error.delivery == .notSent {
            print(text)
        }
    }
}

func forNoWhere(_ client: MQTTClient, _ texts: [String]) async throws {
    for text in texts {
        do { try await client.publish(text, to: "t") } catch let error as MQTTError { print(error.code) }
    }
}

func forWhereAll(_ client: MQTTClient, _ texts: [String]) async {
    for text in texts {
        do { try await client.publish(text, to: "t") } catch let error as MQTTError where error.code == .timedOut {
            print(text)
        } catch {
            print(error)
        }
    }
}

func forCatchWhere(_ client: MQTTClient, _ texts: [String]) async throws {
    for text in texts {
        do { try await client.publish(text, to: "t") } catch  where (error as? MQTTError)?.code == .cancelled {
            print(text)
        }
    }
}

func forCatchWhereAll(_ client: MQTTClient, _ texts: [String]) async {
    for text in texts {
        do { try await client.publish(text, to: "t") } catch  where error is CancellationError { print(text) } catch {
            print(error)
        }
    }
}

func onceWhere(_ client: MQTTClient) async throws {
    do { try await client.connect() } catch let error as MQTTError where error.code == .connectionRefused {
        print(error)
    }
}

func onceOr(_ client: MQTTClient) async throws {
    do { try await client.connect() } catch let error as MQTTError
        where error.code == .connectionRefused || error.reasonCode == .notAuthorized
    { print(error) }
}

func whileWhere(_ client: MQTTClient, _ count: Int) async throws {
    var number = 0
    while number < count {
        number += 1
        do { try await client.publish("\(number)", to: "t", qos: .atLeastOnce) } catch let error as MQTTError
            where error.code == .publishRefused
        { print(number) }
    }
}

func loopIf(_ client: MQTTClient, _ texts: [String]) async throws {
    for text in texts {
        do { try await client.publish(text, to: "t") } catch {
            if (error as? MQTTError)?.delivery == .unknown { print(text) } else { throw error }
        }
    }
}

func forAwait(_ client: MQTTClient, _ texts: AsyncStream<String>) async throws {
    for await text in texts {
        do { try await client.publish(text, to: "t") } catch let error as MQTTError where error.code == .timedOut {
            print(text)
        }
    }
}

func forTryAwait(_ client: MQTTClient) async throws {
    for try await message in try await client.subscribe(to: "in/#") {
        do { try await client.publish(message.text, to: "out") } catch let error as MQTTError
            where error.delivery == .notSent
        { print(message.topic) }
    }
}

func forTryAwaitOutside(_ client: MQTTClient) async throws {
    for _ in 0..<3 {
        do {
            for try await message in try await client.subscribe(to: "in/#") { print(message.topic) }
        } catch let error as MQTTError where error.code == .queueOverflow { continue }
    }
}

func iterator(_ client: MQTTClient) async throws {
    let subscription = try await client.subscribe(to: "in/#")
    var iterator = subscription.makeAsyncIterator()
    while true {
        do { guard let message = try await iterator.next() else { return }; print(message.topic) } catch let error
            as MQTTError
            where error.code == .subscriptionRefused
        { return }
    }
}

func group(_ client: MQTTClient, _ texts: [String]) async throws {
    try await withThrowingTaskGroup(of: Int.self) { group in
        for text in texts {
            group.addTask {
                do {
                    try await client.publish(text, to: "t")
                    return 1
                } catch let error as MQTTError where error.delivery == .notSent { return 0 }
            }
        }
        try await group.waitForAll()
    }
}

func closure(_ client: MQTTClient) async throws {
    let publish = { () async throws -> Bool in
        do {
            try await client.publish("x", to: "t")
            return true
        } catch let error as MQTTError where error.code == .queueFull { return false }
    }
    _ = try await publish()
}

func switchCode(_ client: MQTTClient) async {
    do { try await client.publish("x", to: "t") } catch let error as MQTTError {
        switch error.code {
        case .timedOut: print("late")
        default: print(error)
        }
    } catch { print(error) }
}

func tryOptional(_ client: MQTTClient, _ texts: [String]) async {
    for text in texts { if let code = try? await client.publish(text, to: "t") { print(code) } }
}

func retry(_ client: MQTTClient) async throws -> MQTTMessage? {
    for _ in 0..<3 {
        do { return try await client.request("ping", to: "svc") } catch let error as MQTTError
            where error.code == .timedOut
        {
            continue
        }
    }
    return nil
}

func nested(_ client: MQTTClient, _ texts: [String]) async throws {
    for text in texts {
        do { for other in texts { try await client.publish(other, to: text) } } catch let error as MQTTError
            where error.code == .invalidTopic
        { print(text) }
    }
}

func result(_ client: MQTTClient) async -> Result<ReasonCode, any Error> {
    do { return .success(try await client.publish("x", to: "t")) } catch { return .failure(error) }
}

func defers(_ client: MQTTClient, _ texts: [String]) async throws {
    for text in texts {
        defer { print(text) }
        do { _ = try await client.request(text, to: "svc", count: 3) } catch let error as MQTTError
            where error.code == .noMatchingSubscribers
        { continue }
    }
}

func two(_ client: MQTTClient, _ texts: [String]) async throws {
    for text in texts {
        do { try await client.publish(text, to: "t") } catch let error as MQTTError where error.code == .timedOut {
            print(1)
        } catch let error as MQTTError where error.code == .cancelled { throw CancellationError() }
    }
}

actor Device {
    let client: MQTTClient
    var failures = 0

    init(_ client: MQTTClient) { self.client = client }

    func publish(_ texts: [String]) async throws {
        for text in texts {
            do { try await self.client.publish(text, to: "t") } catch let error as MQTTError
                where error.delivery == .notSent
            {
                self.failures += 1
            }
        }
    }
}

@MainActor
func onMainActor(_ client: MQTTClient, _ texts: [String]) async throws {
    for text in texts {
        do { try await client.publish(text, to: "t") } catch let error as MQTTError where error.delivery == .notSent {
            print(text)
        }
    }
}

func blocks(_ texts: [String]) async throws {
    for text in texts {
        do {
            try await MQTTClient.withConnection("mqtt://localhost") { client in
                try await client.withSubscription(to: text) { messages in
                    do { print(try await messages.next(within: .seconds(1))?.text ?? "") } catch let error as MQTTError
                        where error.code == .cancelled
                    { print(text) }
                }
            }
        } catch let error as MQTTError where error.code == .connectionFailed { print(text) }
    }
}

func outcomes(_ client: MQTTClient, _ texts: [String]) async throws {
    let pending = try texts.map { try client.enqueue($0, to: "t", qos: .atLeastOnce) }
    for publish in pending {
        do { try await publish.outcome() } catch let error as MQTTError where error.delivery == .unknown { continue }
    }
}
