package jobs_test

import "furrow/jobs"

func jobFilter() jobs.Filter { return jobs.Filter{Most: 1000} }
