package views

import (
	"math"
	"strconv"
)

// Chart is numbers over time as a small picture, drawn without script or style
// attributes, and the same as a table for those who do not see it.
type Chart struct {
	ID      string // unique on the page
	Title   string
	Summary string        // what the picture shows, in a sentence
	Labels  []string      // of the points, oldest first
	Series  []ChartSeries // stacked, the first one at the bottom
	Most    string        // the height of the picture, as people read it
}

// ChartSeries is one row of numbers of a chart.
type ChartSeries struct {
	Name   string // what is counted
	Values []float64
	Texts  []string // the values as people read them
}

// The picture's own units: it is stretched to the width there is.
const (
	chartWidth  = 300.0
	chartHeight = 60.0
)

// chartBar is a bar of a picture.
type chartBar struct{ x, y, width, height string }

// top is the greatest sum of a point; at least a little, so that it can be
// divided by.
func (c Chart) top() float64 {
	top := math.SmallestNonzeroFloat64
	for i := range c.Labels {
		sum := 0.0
		for _, s := range c.Series {
			sum += s.Values[i]
		}
		top = max(top, sum)
	}
	return top
}

// bars are those of the n-th series, on top of those before it. Points without
// anything have none.
func (c Chart) bars(n int) []chartBar {
	var bars []chartBar
	step, top := chartWidth/float64(len(c.Labels)), c.top()
	for i := range c.Labels {
		below := 0.0
		for _, s := range c.Series[:n] {
			below += s.Values[i]
		}
		value := c.Series[n].Values[i]
		if value <= 0 {
			continue
		}
		height := max(value/top*chartHeight, 1) // what there is can be seen
		y := max(chartHeight-below/top*chartHeight-height, 0)
		bars = append(bars, chartBar{decimal(float64(i)*step + step*.1), decimal(y), decimal(step * .8), decimal(height)})
	}
	return bars
}

// first and last are the ends of the axis.
func (c Chart) first() string { return c.Labels[0] }

func (c Chart) last() string { return c.Labels[len(c.Labels)-1] }

// box is the part of the picture's plane that is seen.
func (c Chart) box() string { return "0 0 " + decimal(chartWidth) + " " + decimal(chartHeight) }

func decimal(f float64) string {
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}
