from tests.alerter.conftest import make, stub
from tests.alerter.harness import *
def test_x(make, stub):
    r = [
     {"alert":"Src","metric_key":"disk.usage_pct","operator":">","threshold":85,"severity":"critical","match":{"disk":"a"},"annotations":{"summary":"s"}},
     {"alert":"Tgt","metric_key":"disk.usage_pct","operator":">","threshold":85,"severity":"critical","match":{"disk":"b"},"inhibited_by":["Src"],"annotations":{"summary":"s"}},
    ]
    h = make(rules=rules(*r), channels=(slack(stub),))
    h.cluster()
    h.tick(disk(("a",90.0),("b",90.0)))
    h.tick(disk(("a",90.0),("b",10.0)))
    print([(a.rule_name,a.status,a.detail["inhibited_by"]) for a in h.alerts()], h.kinds())
    assert 0
