package jobs_test

import "os"

const childEnv = "FURROW_TEST_CHILD"

func child() { os.Exit(2) }
