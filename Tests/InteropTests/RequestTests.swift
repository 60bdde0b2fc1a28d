import Curlew
import MosquittoFixture
import NIOCore
import Testing

@Suite(
    "Requests and replies through a broker",
    .enabled(if: !BrokerProgram.available.isEmpty, "mosquitto is not installed; scripts/test installs it"),
    .timeLimit(.minutes(5)))
struct RequestTests {
    struct TooHot: Error, CustomStringConvertible {
        let description = "too hot"
    }

    @Test("A request gets its reply", arguments: Setup.all)
    func request(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            try await broker.answering("rpc/+", setup, repliesTo: "/reply") {
                "\($0.text) from \($0.topic)"
            } during: {
                let client = try await broker.connect(setup)
                for number in 0..<10 {
                    let reply = try await client.request(
                        "pong \(number)", to: "rpc/\(number)",
                        responseTopic: setup.version == .v5_0 ? nil : "rpc/\(number)/reply", timeout: .seconds(30))
                    #expect(reply.text == "pong \(number) from rpc/\(number)")
                }
            }
        }
    }

    @Test("A thousand requests at once each get their own reply", arguments: Setup.v5_0)
    func many(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            try await broker.answering("rpc", setup) {
                "re: \($0.text)"
            } during: {
                let client = try await broker.connect(setup)
                try await withThrowingTaskGroup { group in
                    for number in 0..<1000 {
                        group.addTask {
                            let reply = try await client.request("\(number)", to: "rpc", timeout: .seconds(60))
                            #expect(reply.text == "re: \(number)")
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(client.statistics.unexpectedReplies == 0)
            }
        }
    }

    @Test("One request gets replies from several responders", arguments: Setup.v5_0)
    func severalReplies(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            try await broker.answering("all", setup) { _ in
                "a"
            } during: {
                try await broker.answering("all", setup) { _ in
                    "b"
                } during: {
                    let client = try await broker.connect(setup)
                    let replies = try await client.request("who?", to: "all", count: 2, timeout: .seconds(30))
                    #expect(Set(replies.map(\.text)) == ["a", "b"])

                    var streamed: Set<String> = []
                    for try await reply in try await client.replies("who?", to: "all", timeout: .seconds(30)) {
                        streamed.insert(reply.text)
                        if streamed.count == 2 { break }
                    }
                    #expect(streamed == ["a", "b"])
                }
            }
        }
    }

    @Test("Responders in a shared subscription divide the requests", arguments: Setup.v5_0)
    func sharedResponders(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            try await broker.answering("$share/crew/rpc", setup) { _ in
                "a"
            } during: {
                try await broker.answering("$share/crew/rpc", setup) { _ in
                    "b"
                } during: {
                    let client = try await broker.connect(setup)
                    var replies: [String] = []
                    for _ in 0..<20 {
                        replies.append(try await client.request("?", to: "rpc", timeout: .seconds(30)).text)
                    }
                    #expect(Set(replies) == ["a", "b"])
                    #expect(client.statistics.unexpectedReplies == 0)
                }
            }
        }
    }

    @Test(
        "A request without a responder fails at once, and a failing responder's error reaches the requester",
        arguments: Setup.v5_0)
    func failures(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let nobody = try await errorOf { try await client.request("?", to: "nobody", timeout: .seconds(600)) }
            #expect(nobody.code == .noMatchingSubscribers)
            #expect(nobody.reasonCode == .noMatchingSubscribers)
            try await broker.answering("rpc", setup) { _ -> String in
                throw TooHot()
            } during: {
                let failed = try await errorOf { try await client.request("?", to: "rpc", timeout: .seconds(30)) }
                #expect(failed.code == .requestFailed)
                #expect(failed.message.contains("too hot"))
            }
        }
    }

    @Test("Before 5.0, a request without a response topic fails before anything is sent", arguments: Setup.tcp)
    func oldVersions(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            let client = try await broker.connect(setup)
            let error = try await errorOf { try await client.request("?", to: "rpc", timeout: .seconds(600)) }
            #expect(error.code == (setup.version == .v5_0 ? .noMatchingSubscribers : .notSupportedByProtocolVersion))
        }
    }

    @Test("Requests work again after a broken connection", arguments: Setup.v5_0)
    func reconnection(_ setup: Setup) async throws {
        try await Mosquitto.run(on: setup.broker) { broker in
            try await broker.answering("rpc", setup) {
                "re: \($0.text)"
            } during: {
                let client = try await broker.connect(setup)
                for number in 0..<5 {
                    let reply = try await client.request("\(number)", to: "rpc", timeout: .seconds(30))
                    #expect(reply.text == "re: \(number)")
                    client.cutConnection()
                }
            }
        }
    }
}
