import Testing

@testable import CurlewTransport

@Suite("Settings of a proxy")
struct ProxySettingsTests {
    @Test(
        "A URL determines the proxy",
        arguments: [
            ("http://p:3128", .http, "p", 3128, nil, nil), ("socks5://p", .socks5, "p", 1080, nil, nil),
            ("SOCKS5H://u:p%40w@[::1]:9/", .socks5h, "::1", 9, "u", "p@w"), ("p:8080", .http, "p", 8080, nil, nil),
            ("http://u@p", .http, "p", 1080, "u", nil), ("socks5://u:@1.2.3.4", .socks5, "1.2.3.4", 1080, "u", ""),
        ] as [(String, ProxySettings.Kind, String, Int, String?, String?)])
    func urls(
        url: String, kind: ProxySettings.Kind, host: String, port: Int, username: String?, password: String?
    ) throws {
        let proxy = try ProxySettings(url: url)
        #expect(proxy.kind == kind && proxy.host == host && proxy.port == port)
        #expect(proxy.username == username && proxy.password == password)
        var text = "\(proxy) \(String(reflecting: proxy))"
        dump(proxy, to: &text)
        if let password, !password.isEmpty { #expect(!text.contains(password)) }
    }

    @Test(
        "A URL that is none is refused, without its password",
        arguments: [
            ("https://u:secret@p", "TLS to a proxy is not supported"), ("socks4://p", "use socks5://"),
            ("ftp://p", "must begin with"), ("http://", "names no host"), ("http://u:secret@", "names no host"),
            ("http://p:0", "from 1 to 65535"), ("http://p:secret", "from 1 to 65535"), ("http://::1", "in brackets"),
            ("http://u:se/cret@p", "percent-encode"), ("http://u:secret@x@p", "%40"), ("http://u:%zz@p", "%25"),
            ("http://u:%FF@p", "not UTF-8"),
        ])
    func refused(url: String, fragment: String) {
        let error = #expect(throws: TransportError.self) { try ProxySettings(url: url) }
        #expect(error?.message.contains(fragment) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("secret") == false)
    }

    @Test("Exceptions are names with their subdomains, addresses and ranges")
    func excludedHosts() {
        var proxy = ProxySettings(.http, host: "p")
        proxy.excludedHosts = ["example.com", ".local", "*.lan", "10.0.0.0/8", "192.168.1.7", "fd00::/8"]
        for host in [
            "example.com", "EXAMPLE.com", "a.example.com", "x.local", "a.lan", "10.1.2.3", "192.168.1.7", "fd12::1",
        ] {
            #expect(proxy.isException(host), "\(host)")
        }
        for host in ["badexample.com", "example.org", "11.0.0.1", "192.168.1.70", "fe80::1"] {
            #expect(!proxy.isException(host), "\(host)")
        }
        proxy.excludedHosts = ["*"]
        #expect(proxy.isException("anything"))
    }

    @Test("Ranges compare the bits of their prefix")
    func ranges() throws {
        let range = try #require(AddressRange("10.1.128.0/17"))
        #expect(range.contains([10, 1, 200, 1]) && !range.contains([10, 1, 127, 1]))
        #expect(AddressRange("::ffff:10.0.0.1")?.contains([10, 0, 0, 1]) == true)
        for text in ["10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/-1", "a/8", "", "10.0.0.0/8/8"] {
            #expect(AddressRange(text) == nil)
        }
    }
}
