// README: getting-started
import Curlew
import Foundation

@main
struct App {
    static func main() async {
        do {
            try await self.run()
        } catch {
            FileHandle.standardError.write(Data("App: \(error)\n".utf8))
            exit(1)
        }
    }

    static func run() async throws {
        try await MQTTClient.withConnection("mqtt://localhost") { client in
            let temperatures = try await client.subscribe(to: "home/+/temperature")
            try await client.publish("21.5", to: "home/kitchen/temperature", qos: .atLeastOnce)
            for try await message in temperatures {
                print(message.topic, message.text)
            }
        }
    }
}
// README end
