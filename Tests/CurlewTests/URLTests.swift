import CurlewCore
import CurlewTransport
import NIOCore
import Testing

@testable import Curlew

private enum RefusedURLs {
    static let all: [(String, [String])] = [
        ("", ["begin with mqtt://"]),
        ("localhost:1883", ["begin with mqtt://"]),
        ("ftp://h", ["begin with mqtt://", "mqtts://", "ws://", "mqtt+unix://"]),
        ("http://h", ["use ws:// for WebSocket"]),
        ("https://h", ["use wss:// for WebSocket"]),
        ("ws://", ["no host"]),
        ("ws://h/a#b", ["'#'", "%23"]),
        ("ws://h/a%zz", ["path", "%25"]),
        ("ws://h/a?b=%", ["query", "%25"]),
        ("ws://h/a?keep-alive=soon", ["'keep-alive'", "number of seconds"]),
        ("ws://h/?ca=/x", ["'ca'", "wss://"]),
        ("unix:///run/mqtt.sock", ["use mqtt+unix://"]),
        ("mqtt+unix://run/mqtt.sock", ["must not name a host", "three slashes"]),
        ("mqtt+unix://", ["names no socket", "mqtt+unix:///run/curlew.sock"]),
        ("tcp://h", ["use mqtt://"]),
        ("ssl://h", ["use mqtts://"]),
        ("mqtt://", ["no host"]),
        ("mqtt://:1883", ["no host"]),
        ("mqtt://u@", ["no host"]),
        ("mqtt://h:", ["from 1 to 65535"]),
        ("mqtt://h:0", ["from 1 to 65535"]),
        ("mqtt://h:65536", ["from 1 to 65535"]),
        ("mqtt://h:+1", ["from 1 to 65535"]),
        ("mqtt://::1", ["brackets"]),
        ("mqtt://[::1", ["closing bracket"]),
        ("mqtt://[h]", ["IPv6 address"]),
        ("mqtt://[1.2.3.4]", ["IPv6 address"]),
        ("mqtt://[::1]x", ["':' and the port"]),
        ("mqtt://h\\x", ["letters, digits"]),
        ("mqtt://a b", ["%20"]),
        ("mqtt://h/\n", ["percent-encode"]),
        ("mqtt://h#top", ["no fragment"]),
        ("mqtt://h/%zz", ["%25"]),
        ("mqtt://h/%4", ["%25"]),
        ("mqtt://h/%FF", ["not UTF-8"]),
        ("mqtt://h?keepalive=3", ["unknown item 'keepalive'", "keep-alive", "client-id"]),
        ("mqtt://h?keep-alive", ["no '='"]),
        ("mqtt://h?keep-alive=soon", ["'keep-alive'", "number of seconds"]),
        ("mqtt://h?keep-alive=-3", ["number of seconds"]),
        ("mqtt://h?keep-alive=99999999999999999d", ["shorter"]),
        ("mqtt://h?keep-alive=3&keep-alive=4", ["given twice"]),
        ("mqtt://h?client-id=a&client-id-prefix=b", ["leave one out"]),
        ("mqtt://h?version=4", ["automatic", "3.1.1"]),
        ("mqtt://h?clean-start=maybe", ["true or false"]),
        ("mqtt://h?receive-maximum=many", ["whole number"]),
        ("mqtt://h?ca=/x", ["'ca'", "mqtts://"]),
        ("mqtts://h?insecure=true", ["any-host-name", "any-certificate"]),
        ("mqtts://h?key=/k", ["certificate"]),
    ]
}

@Suite("URL")
struct URLTests {
    @Test(
        "A URL determines the server",
        arguments: [
            ("mqtt://localhost", MQTTConfiguration.Server.mqtt("localhost", port: 1883)),
            ("mqtts://broker.example.com", .mqtts("broker.example.com", port: 8883)),
            ("MQTTS://b:1", .mqtts("b", port: 1)),
            ("mqtt://10.0.0.1:65535/", .mqtt("10.0.0.1", port: 65_535)),
            ("mqtt://[::1]", .mqtt("::1")),
            ("mqtt://[2001:db8::7]:1884", .mqtt("2001:db8::7", port: 1884)),
            ("mqtt://[fe80::1%25eth0]", .mqtt("fe80::1%eth0")),
            ("mqtt://my_host-1.local", .mqtt("my_host-1.local")),
            ("ws://h", .ws("h", port: 80, path: "/mqtt")), ("wss://h", .wss("h", port: 443, path: "/mqtt")),
            ("ws://h:9001/", .ws("h", port: 9001, path: "/")), ("WS://h/a/b", .ws("h", path: "/a/b")),
            ("wss://h/a%20b?x=%2F&y", Self.wss("/a%20b", query: "x=%2F&y")),
            ("wss://h?X-Amz-A=1&keep-alive=30&z=", Self.wss("/mqtt", query: "X-Amz-A=1&z=")),
            ("mqtt+unix:///run/curlew.sock", .unix(path: "/run/curlew.sock")),
            ("mqtt+unix:///run/a%20b.sock?keep-alive=30", .unix(path: "/run/a b.sock")),
        ])
    func servers(url: String, server: MQTTConfiguration.Server) throws {
        #expect(try MQTTConfiguration(url: url).servers == [server])
    }

    private static func wss(_ path: String, query: String) -> MQTTConfiguration.Server {
        var server = MQTTConfiguration.Server.wss("h", path: path)
        server.query = query
        return server
    }

    @Test("In the URL of a WebSocket, the client takes the items that it knows, and sends the others")
    func webSocketItems() throws {
        let configuration = try MQTTConfiguration(url: "wss://u:p@h/a?token=1&client-id=c&insecure=any-host-name")
        #expect(configuration.clientIdentifier == .given("c"))
        #expect(configuration.tls.verification == .insecureAnyHostName)
        #expect(configuration.servers == [Self.wss("/a", query: "token=1")])
        #expect(configuration.servers[0].description == "wss://h:443/a")
        #expect(try MQTTURL("ws://h/a").topic == nil && MQTTURL("mqtt+unix:///a").topic == nil)
    }

    @Test("A server's path must fit its scheme")
    func paths() {
        func refuse(_ server: MQTTConfiguration.Server, _ words: [String]) {
            expectError(.invalidConfiguration, mentioning: words) { () throws(MQTTError) in
                try MQTTConfiguration(server: server).validate()
            }
        }
        var plain = MQTTConfiguration.Server.mqtt("h")
        plain.path = "/a"
        refuse(plain, ["must not have a path", ".ws"])
        refuse(.ws("h", path: "mqtt"), ["begin with a '/'"])
        refuse(.ws("h", path: "/a?b=c"), ["'?'", "`query`"])
        var secure = MQTTConfiguration.Server.mqtts("h")
        secure.query = "a=b"
        refuse(secure, ["must not have a query", ".wss"])
        refuse(Self.wss("/a", query: "a b"), ["query", "percent-encoded"])
        refuse(.unix(path: ""), ["is empty"])
        refuse(.unix(path: "/" + String(repeating: "x", count: 103)), ["104 bytes", "at most 103"])
    }

    @Test("User name and password are percent-decoded, each of them optional")
    func credentials() throws {
        func login(_ url: String) throws -> MQTTConfiguration.Login? {
            guard case .fixed(let login) = try MQTTConfiguration(url: url).credentials.source else { return nil }
            return login
        }
        #expect(try login("mqtt://h") == nil)
        #expect(try login("mqtt://u@h") == .init(username: "u"))
        #expect(try login("mqtt://u:p@h") == .init(username: "u", password: "p"))
        #expect(try login("mqtt://u:@h") == .init(username: "u", password: ""))
        #expect(try login("mqtt://d%2Fk:%40%3A%2f%25%C3%BC@h") == .init(username: "d/k", password: "@:/%ü"))
        #expect(try login("mqtt://key+value=x,y:p@h") == .init(username: "key+value=x,y", password: "p"))
    }

    @Test(
        "A URL's path is the topic",
        arguments: [
            ("mqtt://h", nil), ("mqtt://h/", nil), ("mqtt://h?version=5", nil),
            ("mqtt://h/home/kitchen", "home/kitchen"), ("mqtt://h//home/", "/home/"),
            ("mqtt://h/home/+/#?version=5", "home/+/#"), ("mqtt://h/#", "#"),
            ("mqtt://h/a%3Fb%20c", "a?b c"), ("mqtt://h/k%C3%BCche", "küche"), ("mqtt://h/küche", "küche"),
            ("mqtt://h/$share/g/a", "$share/g/a"),
        ] as [(String, String?)])
    func topics(url: String, topic: String?) throws {
        #expect(try MQTTURL(url).topic == topic)
    }

    @Test("Query items set the common options")
    func items() throws {
        let configuration = try MQTTConfiguration(
            url: "mqtts://h?version=3.1.1&client-id=a%26b&keep-alive=30&connect-timeout=500ms&clean-start=false"
                + "&session-expiry=1d&receive-maximum=20&maximum-in-flight=30&maximum-packet-size=4096&reconnect=no&ca=/etc/ca.pem"
                + "&cert=/c.pem&key=/k.pem&server-name=real&alpn=mqtt,x&minimum-tls=1.3&insecure=any-host-name")
        #expect(configuration.connection.version == .exactly(.v3_1_1))
        #expect(configuration.clientIdentifier == .given("a&b"))
        #expect(configuration.connection.keepAlive == .seconds(30))
        #expect(configuration.connection.connectTimeout == .milliseconds(500))
        #expect(configuration.session.cleanStart == false)
        #expect(configuration.session.expiry == .after(.seconds(86_400)))
        #expect(configuration.session.receiveMaximum == 20 && configuration.session.maximumInFlightMessages == 30)
        #expect(configuration.session.maximumPacketSize == 4096)
        #expect(configuration.reconnect.isEnabled == false)
        #expect(configuration.tls.trustRoots == .file("/etc/ca.pem"))
        #expect(configuration.tls.clientCertificate == .init(chain: .file("/c.pem"), key: .file("/k.pem")))
        let bundle = try MQTTConfiguration(url: "mqtts://h?cert=/c.p12")
        #expect(bundle.tls.clientCertificate == .pkcs12(.file("/c.p12")))
        #expect(configuration.tls.serverName == "real")
        #expect(configuration.tls.applicationProtocols == ["mqtt", "x"])
        #expect(configuration.tls.minimumVersion == .tls13)
        #expect(configuration.tls.verification == .insecureAnyHostName)
        #expect(try MQTTConfiguration(url: "mqtt://h?session-expiry=never").session.expiry == .never)
        #expect(try MQTTConfiguration(url: "mqtt://h?keep-alive=2m").connection.keepAlive == .seconds(120))
        #expect(try MQTTConfiguration(url: "mqtt://h?client-id-prefix=x").clientIdentifier == .generated(prefix: "x"))
        #expect(try MQTTConfiguration(url: "mqtts://h?crl=/l").tls.revocationLists == [.file("/l")])
        #expect(try MQTTConfiguration(url: "mqtts://h?ca-directory=/d").tls.trustRoots == .directory("/d"))
    }

    @Test("An invalid URL is refused in a sentence that says what to write", arguments: RefusedURLs.all)
    func refused(url: String, words: [String]) {
        expectError(.invalidURL, mentioning: words) { () throws(MQTTError) in _ = try MQTTURL(url) }
    }

    @Test("A configuration's URL must not contain a topic, and its values are validated")
    func strict() {
        expectError(.invalidURL, mentioning: ["topic", "leave it out"]) { () throws(MQTTError) in
            _ = try MQTTConfiguration(url: "mqtt://h/topic")
        }
        expectError(.invalidConfiguration, mentioning: ["keep alive"]) { () throws(MQTTError) in
            _ = try MQTTConfiguration(url: "mqtt://h?keep-alive=70000")
        }
    }

    @Test(
        "No error quotes any part of a password, however malformed the URL is",
        arguments: [
            "mqtt://u:hunter2/x@h", "mqtt://u:hunter2?x@h", "mqtt://u:hunter2#x@h", "mqtt://u:x@hunter2@h",
            "mqtt://u:hunter2:x@h", "mqtt://u:hunter2%@h", "mqtt://u:12/hunter2@h",
            "mqtt://u:12?hunter2@h=1", "u:hunter2@h", "http://u:hunter2@h", "mqtt://u:hunter2 @h",
            "mqtt://u:hunter2@h:x", "mqtt://u:hunter2@", "mqtt://u:hunter2@h/topic", "mqtt://u:hunter2@h?x=1",
            "mqtt://u:hunter2@h?ca=1",
        ])
    func noPasswordInErrors(url: String) {
        let error = #expect(throws: MQTTError.self) { try MQTTConfiguration(url: url) }
        #expect(error.map { !String(reflecting: $0).contains("hunter2") } == true)
    }

    @Test("A URL's description contains no user name, password or query items")
    func description() throws {
        #expect(try MQTTURL("mqtts://u:p@h/a/b?version=5").description == "mqtts://h:8883/a/b")
        #expect(!(try String(reflecting: MQTTURL("mqtts://u:hunter2@h"))).contains("hunter2"))
    }

    @Test("Random text throws at worst")
    func random() {
        var random = SplitMix64(seed: 7)
        let pieces =
            Array("mqtt:/@[]%?#&=+.aé0 9\u{0}\u{301}").map(String.init) + ["mqtt://", "keep-alive=", "%C3", "[::1]"]
        for _ in 0..<20_000 {
            let length = Int.random(in: 0...12, using: &random)
            let text = "mqtt://" + (0..<length).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
            if let url = try? MQTTURL(text) { #expect(!url.configuration.servers[0].host.isEmpty, "\(text)") }
        }
    }
}
