import Testing

@testable import CurlewCore

@Suite("Reason codes and properties")
struct ReasonCodeTests {
    @Test("A reason code is described by its name and its byte")
    func descriptions() {
        #expect("\(ReasonCode.notAuthorized)" == "not authorized (0x87)")
        #expect("\(ReasonCode.success)" == "success (0x00)")
        #expect("\(ReasonCode.noMatchingSubscribers)" == "no matching subscribers (0x10)")
        #expect("\(ReasonCode(rawValue: 0x7F))" == "unknown reason code (0x7F)")
    }

    @Test("Every reason code that a packet uses has a name, and no other has")
    func names() {
        for byte in UInt8.min...UInt8.max {
            let code = ReasonCode(rawValue: byte)
            let isUsed = PacketType.allCases.contains { code.isDefined(for: $0) }
            #expect(code.description.hasPrefix("unknown") != isUsed, "\(code)")
        }
    }

    @Test("A code of 0x80 or above is a failure")
    func failures() {
        #expect(!ReasonCode(rawValue: 0x7F).isFailure)
        #expect(ReasonCode(rawValue: 0x80).isFailure)
    }

    // The number of codes in the tables of MQTT 5.0; DISCONNECT also has 0x8C.
    @Test(
        "Each packet has as many reason codes as its table in the standard",
        arguments: [
            (PacketType.connack, 22), (.puback, 9), (.pubrec, 9), (.pubrel, 2), (.pubcomp, 2), (.suback, 12),
            (.unsuback, 7), (.disconnect, 30), (.auth, 3), (.publish, 0), (.connect, 0),
        ]
    )
    func counts(packet: PacketType, count: Int) {
        let codes = (UInt8.min...UInt8.max).filter { ReasonCode(rawValue: $0).isDefined(for: packet) }
        #expect(codes.count == count)
    }

    @Test("Return codes of 3.1.1 are converted to reason codes and back")
    func returnCodes() {
        for byte in UInt8.min...UInt8.max {
            #expect((ReasonCode(connectReturnCode: byte) != nil) == (byte <= 5))
            if let code = ReasonCode(connectReturnCode: byte) { #expect(code.connectReturnCode == byte) }
            #expect((ReasonCode(subscribeReturnCode: byte) != nil) == (byte <= 2 || byte == 0x80))
            if let code = ReasonCode(subscribeReturnCode: byte) { #expect(code.subscribeReturnCode == byte) }
        }
    }

    // The columns of table 2-4.
    @Test(
        "Each packet has as many properties as in table 2-4",
        arguments: [
            (PropertyScope.connect, 9), (.connack, 17), (.publish, 8), (.puback, 2), (.pubrec, 2), (.pubrel, 2),
            (.pubcomp, 2), (.subscribe, 2), (.suback, 2), (.unsubscribe, 1), (.unsuback, 2), (.disconnect, 4),
            (.auth, 4),
            (.will, 7),
        ]
    )
    func properties(scope: PropertyScope, count: Int) {
        #expect(PropertyIdentifier.allCases.filter { $0.scope.contains(scope) }.count == count)
    }

    @Test("There are 27 properties, and their identifiers fit into a 64-bit set")
    func identifiers() {
        #expect(PropertyIdentifier.allCases.count == 27)
        #expect(PropertyIdentifier.allCases.allSatisfy { $0.rawValue < 64 })
    }
}
