#!/bin/sh
echo "cleaning"
