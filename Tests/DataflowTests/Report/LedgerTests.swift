// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Dataflow

@Suite struct LedgerTests {
    private func ledger(window: Int = 8) -> Ledger {
        Ledger(source: 0, window: window, placeCount: 3, historyLength: 64)
    }

    @Test("tokens split and meet, and the last one decides the fate")
    func tokens() {
        let book = ledger()
        #expect(book.admit() == 0)
        book.add(2, to: 0)
        _ = book.release(0, .merged)
        _ = book.release(0, .dropped(place: 2, cause: .replaced))
        #expect(book.fate(of: 0) == .inFlight)
        #expect(book.account().inFlight == 1)
        _ = book.release(0, .delivered)
        #expect(book.fate(of: 0) == .delivered(missedAt: 2, cause: .replaced))
        #expect(book.admit() == 1)
        book.add(1, to: 1)
        _ = book.release(1, .dropped(place: 1, cause: .edgeFull))
        _ = book.release(1, .dropped(place: 2, cause: .aborted))
        #expect(book.fate(of: 1) == .dropped(place: 1, cause: .edgeFull))
        let account = book.account()
        #expect(account.isBalanced && account.isSteady)
        #expect(account.admitted == 2 && account.delivered == 1 && account.deliveredPartly == 1)
        #expect(account.droppedCount == 1 && account.inFlight == 0)
        #expect(book.fate(of: 2) == nil)
    }

    @Test("a frame whose slot is in use is not admitted until that slot is free")
    func fullWindow() {
        let book = ledger(window: 2)
        #expect(book.admit() == 0)
        #expect(book.admit() == 1)
        #expect(book.admit() == nil)
        _ = book.release(1, .delivered)
        #expect(book.admit() == nil)
        book.sourceWaiting.store(true, ordering: .sequentiallyConsistent)
        #expect(book.release(0, .delivered), "the source that waits is to be woken")
        #expect(book.admit() == 2)
    }

    @Test("the history forgets old frames and never mixes them up") func history() {
        let book = Ledger(source: 0, window: 4, placeCount: 1, historyLength: 16)
        for n in UInt64(0)..<40 {
            #expect(book.admit() == n)
            _ = book.release(n, n % 2 == 0 ? .delivered : .dropped(place: 0, cause: .filtered))
        }
        #expect(book.fate(of: 39) == .dropped(place: 0, cause: .filtered))
        #expect(book.fate(of: 24) == .delivered(missedAt: nil, cause: nil))
        #expect(book.fate(of: 23) == nil)
    }

    @Test("a frame that ends without a fate is an error") func noFate() {
        let book = ledger()
        _ = book.admit()
        _ = book.release(0, .merged)
        #expect(!book.account().isBalanced)
        let problems = Graph.problems(of: book.account(), source: "camera", isOver: true)
        #expect(problems.contains { $0.contains("without a fate") })
        #expect(problems.contains { $0.contains("1 frames came in, but 0 delivered + 0 dropped + 0 in flight = 0") })
    }

    @Test("a token released twice, and one that never was, are errors")
    func unexpectedReleases() {
        let book = ledger()
        _ = book.admit()
        _ = book.release(0, .delivered)
        _ = book.release(0, .delivered)
        book.add(1, to: 5)
        book.noteDrop(6, place: 0, cause: .late)
        #expect(book.account().unexpectedReleases == 3)
        let problems = Graph.problems(of: book.account(), source: "camera", isOver: true)
        #expect(problems == ["source camera: 3 frames were ended that were not in flight"])
    }

    @Test("a frame in flight after the end is an error, before it is not")
    func inFlightAfterTheEnd() {
        let book = ledger()
        _ = book.admit()
        #expect(Graph.problems(of: book.account(), source: "camera", isOver: false) == [])
        #expect(
            Graph.problems(of: book.account(), source: "camera", isOver: true)
                == ["source camera: 1 frames still in flight after the end"])
    }
}
