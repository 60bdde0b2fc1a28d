#if Tools
import ArgumentParser
import Testing

@testable import CurlewCommand

@Suite("Arguments of curlew call and serve")
struct CallWordsTests {
    private func arguments(_ words: String, _ variables: [String: String] = [:]) throws -> String {
        let words = ["curlew"] + words.split(separator: " ").map(String.init)
        return try Invocation(words) {
            variables[$0]
        } readFile: { _ in
            nil
        }.arguments.joined(separator: " ")
    }

    @Test(
        "An option takes the place of the argument for the same value",
        arguments: [
            ("call d m 1", "call --device d --method m --params 1"),
            ("call d m -", "call --device d --method m --params -"),
            ("call mqtt://h d m", "call mqtt://h --device d --method m"),
            ("call d m mqtt://h", "call --device d --method m mqtt://h"),
            ("call --devices f m", "call --devices f --method m"),
            ("call --devices f --method m -", "call --devices f --method m --params -"),
            ("serve d A=1 B", "serve --device d --answer A=1 --answer B"),
            ("serve --device d A=1", "serve --device d --answer A=1"),
            ("call --device= m", "call --device  --method m"),
        ])
    func roles(words: String, expected: String) throws {
        #expect(try self.arguments(words) == expected)
    }

    @Test(
        "After an option for the device or the method, the command decides whether an argument can be parameters",
        arguments: [
            ("call --devices f m 1", "call --devices f --method m --params-argument 1"),
            ("call --device d m 1", "call --device d --method m --params-argument 1"),
            ("call d --method m 1", "call --device d --method m --params-argument 1"),
        ])
    func uncertain(words: String, expected: String) throws {
        #expect(try self.arguments(words) == expected)
    }

    @Test("The address of a web page is a parameter after the method, and otherwise a broker")
    func webAddress() throws {
        #expect(
            try self.arguments("call mqtt://h plug OtaUrl http://h/x")
                == "call mqtt://h --device plug --method OtaUrl --params http://h/x")
        #expect(try self.arguments("call http://h d m") == "call http://h --device d --method m")
        #expect(try self.arguments("call d m 1 http://h") == "call --device d --method m --params 1 http://h")
    }

    @Test("The command line overrides devices, methods and parameters of the environment")
    func environment() throws {
        let variables = [
            "CURLEW_DEVICE": "x", "CURLEW_DEVICES": "f", "CURLEW_METHOD": "y", "CURLEW_PARAMS": "z",
            "CURLEW_ANSWER": "Z=1", "CURLEW_COMMAND": "Y=date",
        ]
        #expect(
            try self.arguments("call d m 1", variables) == "call --device d --method m --params 1")
        #expect(
            try self.arguments("call --devices g m 1", variables)
                == "call --devices g --method m --params-argument 1")
        #expect(try self.arguments("serve d A=1", variables) == "serve --device d --answer A=1")
        #expect(try self.arguments("serve d", variables) == "serve --answer Z=1 --command Y=date --device d")
    }

    @Test(
        "Misplaced and repeated arguments are refused in a sentence that says what to do",
        arguments: [
            (
                "call d m 1 2",
                "Unexpected argument '2': device, method and parameters are already given; quote parameters that contain spaces"
            ),
            (
                "call --devices f d Ping 1",
                "Unexpected argument '1': with --devices, 'd' is the method and 'Ping' its parameters; give more devices with --device"
            ),
            (
                "call --device d e Ping 1",
                "Unexpected argument '1': with --device, 'e' is the method and 'Ping' its parameters; give more devices with --device"
            ),
            (
                "call d m --params 1 2",
                "Unexpected argument '2': --params already gives the parameters; give them once"
            ),
            (
                "call d m --params 1 --params=2",
                "--params is given twice, but a method gets only one value; give it once"
            ),
            ("call d --method m --method n", "--method is given twice, but there is only one method; give it once"),
            (
                "call --devices f --devices g m",
                "--devices is given twice, but there is only one file; name more devices with --device"
            ),
            (
                "call m {}",
                "'{}' stands where the method belongs; write the method before its parameters, or give it with --method"
            ),
            (
                "serve A=1",
                "'A=1' stands where the device belongs; write the device before the methods, or give it with --device"
            ),
            (
                "serve d --device e A=1",
                "'d' is not clear, because --device already names the device; if it is a method, write --answer d"
            ),
            (
                "serve --device d --device e",
                "--device is given twice, but there is only one device; run the command once for each"
            ),
        ])
    func mistakes(words: String, sentence: String) {
        let error = #expect(throws: ValidationError.self) { try self.arguments(words) }
        #expect(error?.message == sentence)
    }

    @Test("--pretty needs something to format")
    func pretty() throws {
        for words in ["collect a --pretty -F %t", "sub a -F %p --pretty", "request a b --format=%x --pretty"] {
            let error = #expect(throws: ValidationError.self) { try self.arguments(words) }
            #expect(error?.message.contains("but -F contains neither") == true)
        }
        for words in ["collect --pretty", "sub --pretty -F %t%j", "sub --pretty -F %5J", "sub --output json --pretty"] {
            #expect(try self.arguments(words) == words)
        }
    }
}
#endif
