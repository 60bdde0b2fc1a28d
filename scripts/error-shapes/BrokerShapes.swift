// The shapes in which users handle the broker's errors; see Shapes.swift.
import CurlewBroker

func brokerForWhere(_ broker: MQTTBroker, _ texts: [String]) async throws {
    for text in texts {
        do { try await broker.publish(text, to: "t") } catch let error as MQTTBrokerError
            where error.code == .publishRefused
        {
            print(text)
        }
    }
}

func brokerForWhereAll(_ broker: MQTTBroker, _ texts: [String]) async {
    for text in texts {
        do { try await broker.publish(text, to: "t") } catch let error as MQTTBrokerError
            where error.reasonCode == .quotaExceeded
        {
            print(text)
        } catch {
            print(error)
        }
    }
}

func brokerOnceSwitch(_ broker: MQTTBroker) async {
    do { try await broker.start() } catch let error as MQTTBrokerError {
        switch error.code {
        case .listeningFailed: print("in use")
        case .storageFailed: print(error.cause ?? error)
        default: print(error)
        }
    } catch {
        print(error)
    }
}

func brokerUntil(_ broker: MQTTBroker) async throws {
    while true {
        do {
            try await broker.start()
            return
        } catch let error as MQTTBrokerError where error.code == .listeningFailed {
            try await Task.sleep(for: .seconds(1))
        }
    }
}

func brokerInTask(_ broker: MQTTBroker) async -> MQTTBrokerError.Code? {
    let task = Task { try await broker.publish("on", to: "lamp") }
    switch await task.result {
    case .success: return nil
    case .failure(let error as MQTTBrokerError): return error.code
    case .failure: return nil
    }
}

func brokerInGroup(_ broker: MQTTBroker, _ texts: [String]) async throws -> Int {
    try await withThrowingTaskGroup(of: Int.self) { group in
        for text in texts {
            group.addTask {
                do { return try await broker.publish(text, to: "t") } catch let error as MQTTBrokerError
                    where error.code == .notRunning
                {
                    return 0
                }
            }
        }
        return try await group.reduce(0, +)
    }
}

func brokerOptional(_ broker: MQTTBroker, _ filters: [String]) async -> [MQTTBrokerSubscription] {
    var subscriptions: [MQTTBrokerSubscription] = []
    for filter in filters {
        if let subscription = try? await broker.subscribe(to: filter) { subscriptions.append(subscription) }
    }
    return subscriptions
}

func brokerTyped(_ broker: MQTTBroker, _ filters: [String]) -> Int {
    var count = 0
    for filter in filters {
        do { count += try broker.retained(matching: filter).count } catch  where error.code == .invalidTopic {
            print(filter)
        } catch {
            print(error.message)
        }
    }
    return count
}

func brokerTypedAsOther(_ path: [String]) async {
    for path in path {
        do { _ = try await MQTTPasswordFile(path: path) } catch let error as MQTTBrokerError
            where error.code == .invalidConfiguration
        {
            print(error)
        } catch {
            print(error)
        }
    }
}

func brokerDefer(_ broker: MQTTBroker) async throws {
    try await broker.start()
    do {
        for try await message in try await broker.subscribe(to: "#") where message.retain {
            do { try await broker.publish(message) } catch let error as MQTTBrokerError
                where error.code == .notRunning
            {
                break
            }
        }
    } catch let error as MQTTBrokerError where error.code == .invalidTopic {
        print(error)
    }
    await broker.stop()
}
